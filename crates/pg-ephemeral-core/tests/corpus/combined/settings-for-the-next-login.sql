-- What later logins have is changed in several ways, in two databases, with search_path and read-only sessions.
CREATE SCHEMA app;
ALTER DATABASE postgres SET search_path = app;
ALTER ROLE postgres SET standard_conforming_strings = off;
ALTER ROLE postgres SET default_transaction_isolation = 'serializable';
\connect postgres
CREATE TABLE item (v text DEFAULT 'it\'s; here');
INSERT INTO item VALUES (DEFAULT), (current_setting('transaction_isolation'));
ALTER DATABASE postgres SET default_transaction_read_only = on;
\connect postgres
\set ON_ERROR_STOP off
INSERT INTO item VALUES ('refused');
\set ON_ERROR_STOP on
SET default_transaction_read_only = off;
INSERT INTO item VALUES ('taken');
