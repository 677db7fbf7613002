-- A file that is included in the middle of a statement runs before that statement, and shares variables with it.
\set who outer
CREATE TABLE item (id int, v text);
INSERT INTO item VALUES
\i parts/rows.inc
(3, :'who');
\ir ../parts/sets-a-variable.sql
INSERT INTO item VALUES (4, :'who');
