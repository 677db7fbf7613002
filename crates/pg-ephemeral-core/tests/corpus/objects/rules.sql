-- Rules: instead of, with a condition, and on a view.
CREATE TABLE item (id int, v text);
CREATE TABLE attic (id int, v text);
CREATE VIEW shown AS SELECT id, upper(v) AS v FROM item WHERE id > 0;
CREATE RULE put AS ON INSERT TO shown DO INSTEAD INSERT INTO item VALUES (new.id, lower(new.v)) RETURNING id, v;
CREATE RULE keep AS ON DELETE TO item WHERE old.id < 5 DO INSTEAD INSERT INTO attic VALUES (old.id, old.v);
CREATE RULE nothing AS ON UPDATE TO attic DO INSTEAD NOTHING;
INSERT INTO shown VALUES (1, 'ABC'), (7, 'DEF') RETURNING *;
DELETE FROM item;
UPDATE attic SET v = 'x';
