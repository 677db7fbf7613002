-- ROLLBACK without BEGIN is a warning and undoes nothing.
CREATE TABLE drawer (id int);
INSERT INTO drawer VALUES (1);
ROLLBACK;
INSERT INTO drawer VALUES (2);
ROLLBACK WORK;
