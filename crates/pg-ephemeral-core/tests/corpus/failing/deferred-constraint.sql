-- A deferred constraint fails at the COMMIT.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (parent_id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
BEGIN;
INSERT INTO child VALUES (7);
INSERT INTO parent VALUES (1);
COMMIT;
