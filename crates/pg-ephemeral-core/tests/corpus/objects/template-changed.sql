-- The file changes template1, so that databases made later have what it holds.
\connect template1
CREATE TABLE in_all (id int);
INSERT INTO in_all VALUES (1);
\connect postgres
CREATE DATABASE later;
