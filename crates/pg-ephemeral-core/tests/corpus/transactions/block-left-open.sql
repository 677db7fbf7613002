-- A transaction that the file leaves open is rolled back when psql ends; the status is 0.
CREATE TABLE kept (id int);
INSERT INTO kept VALUES (1);
BEGIN;
INSERT INTO kept VALUES (2);
CREATE TABLE lost (id int);
