-- Views: recursive, with options, on others, and materialized ones with and without data.
CREATE TABLE item (id int PRIMARY KEY, parent int, v text);
INSERT INTO item VALUES (1, NULL, 'root'), (2, 1, 'leaf');
CREATE VIEW leaf WITH (security_barrier) AS SELECT id, v FROM item WHERE parent IS NOT NULL WITH CASCADED CHECK OPTION;
CREATE RECURSIVE VIEW line (id, path) AS
  SELECT id, v FROM item WHERE parent IS NULL UNION ALL SELECT i.id, path || '; ' || v FROM item i JOIN line l ON parent = l.id;
CREATE MATERIALIZED VIEW kept AS SELECT id, path FROM line;
CREATE UNIQUE INDEX ON kept (id);
CREATE MATERIALIZED VIEW bare AS SELECT 1 AS one WITH NO DATA;
INSERT INTO item VALUES (3, 2, 'fruit');
REFRESH MATERIALIZED VIEW CONCURRENTLY kept;
CREATE TABLE found AS TABLE kept;
ALTER VIEW leaf ALTER COLUMN v SET DEFAULT 'none';
CREATE OR REPLACE VIEW leaf AS SELECT id, v, 1 AS more FROM item;
