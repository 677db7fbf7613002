-- Tables are changed in many ways after they have rows.
CREATE TABLE item (id int, v text, w int);
INSERT INTO item VALUES (1, '10', 5), (2, '20', 6);
ALTER TABLE item ALTER COLUMN v TYPE int USING v::int + 1;
ALTER TABLE item DROP COLUMN w, ADD COLUMN x int DEFAULT 7, ADD COLUMN y date;
ALTER TABLE item RENAME TO thing;
CREATE SCHEMA attic;
ALTER TABLE thing SET SCHEMA attic;
COMMENT ON TABLE attic.thing IS E'it\'s; "a" thing\n\\q';
COMMENT ON COLUMN attic.thing.x IS $$seven; $$;
CREATE TABLE like_it (LIKE attic.thing INCLUDING ALL, z int);
INSERT INTO like_it TABLE attic.thing;
ALTER SCHEMA attic RENAME TO loft;
DELETE FROM loft.thing WHERE id = 1;
WITH moved AS (DELETE FROM loft.thing RETURNING *) INSERT INTO like_it SELECT * FROM moved;
INSERT INTO like_it VALUES (5, 5, 5) ON CONFLICT DO NOTHING;
