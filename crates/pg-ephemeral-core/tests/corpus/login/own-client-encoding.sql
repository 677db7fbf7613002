-- The superuser's connections speak Latin-1 from the next one on.
ALTER ROLE postgres SET client_encoding = 'LATIN1';
CREATE TABLE item (name text);
INSERT INTO item VALUES ('café'), ('naïve');
