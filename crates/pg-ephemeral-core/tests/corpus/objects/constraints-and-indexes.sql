-- Indexes of all methods, and constraints that use them.
CREATE TABLE item (id int, v text, area box, tags text[], since date);
INSERT INTO item VALUES (1, 'a', '((0,0),(1,1))', '{x}', '2024-01-01'), (2, 'b', '((2,2),(3,3))', '{x,y}', '2024-01-02');
ALTER TABLE item ADD CONSTRAINT apart EXCLUDE USING gist (area WITH &&) WHERE (id > 0);
CREATE UNIQUE INDEX by_v ON item (lower(v) DESC NULLS LAST, (id + 1)) WHERE v <> 'it''s; none';
CREATE INDEX by_tags ON item USING gin (tags);
CREATE INDEX by_hash ON item USING hash (v);
CREATE INDEX by_since ON item USING brin (since) WITH (pages_per_range = 4);
CREATE INDEX by_area ON item USING spgist (area);
CREATE UNIQUE INDEX key ON item (id) INCLUDE (v);
ALTER TABLE item ALTER COLUMN id SET NOT NULL;
ALTER TABLE item ADD CONSTRAINT the_key PRIMARY KEY USING INDEX key;
ALTER TABLE item CLUSTER ON the_key;
CREATE STATISTICS together (dependencies) ON id, v FROM item;
ALTER TABLE item ALTER COLUMN v SET STATISTICS 500, ALTER COLUMN v SET STORAGE EXTERNAL, SET (fillfactor = 70);
ANALYZE item;
