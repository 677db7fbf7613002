-- Unlogged tables keep their rows, and tables change to unlogged and back.
CREATE UNLOGGED TABLE cache (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
INSERT INTO cache (v) VALUES ('a'), ('b');
CREATE TABLE was_logged (id int);
INSERT INTO was_logged VALUES (1);
ALTER TABLE was_logged SET UNLOGGED;
CREATE UNLOGGED TABLE was_unlogged (id int);
INSERT INTO was_unlogged VALUES (1);
ALTER TABLE was_unlogged SET LOGGED;
CREATE TABLE large AS SELECT n, repeat(md5(n::text), 300) AS v FROM generate_series(1, 50) n;
ALTER TABLE large SET UNLOGGED;
