-- With SINGLELINE the end of a line ends a statement too.
\set SINGLELINE on
CREATE TABLE item (id int)
INSERT INTO item VALUES (1)
INSERT INTO item VALUES (2); INSERT INTO item VALUES (3)
\set SINGLELINE off
INSERT INTO item
VALUES (4);
