-- The file sets the superuser's attributes as pg_dumpall writes them, with a password, a limit and an end.
ALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS
  CONNECTION LIMIT 90 PASSWORD 'another secret' VALID UNTIL '2999-01-01 00:00:00+00';
COMMENT ON ROLE postgres IS 'runs the seed';
CREATE TABLE item (id int);
