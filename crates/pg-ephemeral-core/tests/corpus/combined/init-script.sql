-- An init script: roles, a database, \connect as its owner, schema, rows, and the superuser's new password.
\set app_password 'app; secret'
\set database shop
CREATE ROLE shop_owner LOGIN;
CREATE DATABASE :database OWNER shop_owner;
ALTER DATABASE :database SET timezone = 'UTC';
\connect :database shop_owner
BEGIN;
CREATE SCHEMA app;
CREATE TABLE app.item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
COPY app.item (v) FROM stdin;
one; two
\.
COMMIT;
\connect postgres postgres
ALTER ROLE postgres PASSWORD :'app_password';
ALTER ROLE postgres SET statement_timeout = '60s';
