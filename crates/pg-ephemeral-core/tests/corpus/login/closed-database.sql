-- CONNECT is taken from everybody, which a superuser does not mind.
CREATE ROLE app LOGIN;
REVOKE CONNECT, TEMPORARY ON DATABASE postgres FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO app;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE TABLE item (id int);
