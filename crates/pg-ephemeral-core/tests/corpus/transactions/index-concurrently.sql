-- CREATE and DROP INDEX CONCURRENTLY run between other statements.
CREATE TABLE item (id int, name text);
INSERT INTO item VALUES (2, 'b'), (1, 'a');
CREATE INDEX CONCURRENTLY item_id ON item (id);
CREATE UNIQUE INDEX CONCURRENTLY item_name ON item (lower(name));
DROP INDEX CONCURRENTLY item_id;
INSERT INTO item VALUES (3, 'c');
