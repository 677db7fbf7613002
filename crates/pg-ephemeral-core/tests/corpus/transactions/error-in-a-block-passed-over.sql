-- After an error in a transaction its other statements are refused, and COMMIT rolls it back.
CREATE TABLE item (id int PRIMARY KEY);
\set ON_ERROR_STOP 0
BEGIN;
INSERT INTO item VALUES (1);
INSERT INTO item VALUES (1);
INSERT INTO item VALUES (2);
COMMIT;
\set ON_ERROR_STOP 1
INSERT INTO item VALUES (3);
