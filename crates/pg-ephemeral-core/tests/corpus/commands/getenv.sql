-- \getenv takes a variable of the environment (psql 15 and later).
CREATE TABLE item (v text);
\set value unchanged
\getenv value ACME_THAT_NOBODY_SETS
INSERT INTO item VALUES (:'value');
\setenv ACME_TENANT 'it''s seven'
\getenv value ACME_TENANT
INSERT INTO item VALUES (:'value');
