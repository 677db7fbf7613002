-- Roles with attributes, memberships, settings and a password whose verifier is given.
CREATE ROLE reader NOLOGIN;
CREATE ROLE writer IN ROLE reader;
CREATE ROLE "Mixed Case; role" LOGIN NOINHERIT CONNECTION LIMIT 3 VALID UNTIL '2030-01-01 00:00:00+00';
CREATE ROLE app LOGIN PASSWORD 'SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=';
GRANT writer TO app WITH ADMIN OPTION;
ALTER ROLE app SET search_path = 'a b', public;
ALTER ROLE app IN DATABASE postgres SET timezone = 'UTC';
COMMENT ON ROLE reader IS 'reads';
CREATE USER gone;
DROP USER gone;
