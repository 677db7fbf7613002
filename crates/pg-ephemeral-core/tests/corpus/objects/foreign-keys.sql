-- Foreign keys in a circle, with actions, over two columns, and one that is not validated.
CREATE TABLE chicken (id int PRIMARY KEY, egg int);
CREATE TABLE egg (id int PRIMARY KEY, chicken int REFERENCES chicken ON DELETE CASCADE ON UPDATE SET NULL);
ALTER TABLE chicken ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO chicken VALUES (1, 1), (2, NULL);
INSERT INTO egg VALUES (1, 1), (2, 2);
COMMIT;
DELETE FROM chicken WHERE id = 2;
CREATE TABLE pair (a int, b int, note text, UNIQUE (a, b));
CREATE TABLE uses_pair (a int, b int, FOREIGN KEY (a, b) REFERENCES pair (a, b) MATCH FULL ON DELETE SET DEFAULT);
INSERT INTO pair VALUES (1, 2), (NULL, 2);
INSERT INTO uses_pair VALUES (1, 2), (NULL, NULL);
CREATE TABLE loose (id int);
INSERT INTO loose VALUES (99);
ALTER TABLE loose ADD CONSTRAINT later FOREIGN KEY (id) REFERENCES chicken NOT VALID;
