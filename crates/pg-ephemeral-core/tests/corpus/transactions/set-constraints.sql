-- SET CONSTRAINTS holds for its transaction only.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int, parent_id int CONSTRAINT child_parent REFERENCES parent DEFERRABLE);
BEGIN;
SET CONSTRAINTS child_parent DEFERRED;
INSERT INTO child VALUES (1, 5);
INSERT INTO parent VALUES (5);
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE child ADD COLUMN note text;
COMMIT;
INSERT INTO child VALUES (2, 5, 'after');
