-- The database gets settings that every later connection has, and a limit.
CREATE SCHEMA app;
CREATE TABLE app.item (id int);
ALTER DATABASE postgres SET search_path = app, public;
ALTER DATABASE postgres SET timezone = 'Asia/Tokyo';
ALTER DATABASE postgres SET statement_timeout = '20s';
ALTER DATABASE postgres SET acme.tenant = 'it''s; "seven"';
ALTER DATABASE postgres CONNECTION LIMIT 50;
COMMENT ON DATABASE postgres IS 'with settings';
