-- \connect as another role, which has no password, and back again.
CREATE ROLE clerk LOGIN;
CREATE DATABASE shop OWNER clerk;
\connect shop clerk
CREATE TABLE item (author name DEFAULT current_user, session name DEFAULT session_user);
INSERT INTO item VALUES (DEFAULT, DEFAULT);
\connect - postgres
INSERT INTO item VALUES (DEFAULT, DEFAULT);
\connect postgres clerk
CREATE TABLE pg_temp.mine AS SELECT current_user;
\connect - postgres
CREATE TABLE ours (database name DEFAULT current_database());
INSERT INTO ours VALUES (DEFAULT);
