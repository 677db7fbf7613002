-- With ON_ERROR_STOP off a failing statement is passed over; it is turned on again after that.
CREATE TABLE item (id int PRIMARY KEY);
INSERT INTO item VALUES (1);
\set ON_ERROR_STOP off
INSERT INTO item VALUES (1);
DROP TABLE nowhere;
INSERT INTO item VALUES (2);
\set ON_ERROR_STOP on
INSERT INTO item VALUES (3);
