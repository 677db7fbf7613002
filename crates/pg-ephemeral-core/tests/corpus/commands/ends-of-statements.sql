-- A statement ends with a semicolon, with \g and its relatives, and not with a line.
CREATE TABLE item (id int) \g
INSERT INTO item VALUES (1) \g (format=unaligned tuples_only=on)
INSERT INTO item VALUES (2) \gx
INSERT INTO item VALUES (3); INSERT INTO item VALUES (4);INSERT INTO item VALUES (5) ; ;;
SELECT id AS a, id + 1 AS b FROM item \gdesc
SELECT id, id % 2, 1 FROM item \crosstabview
INSERT
INTO
item

VALUES
(6)
;
INSERT INTO item VALUES (7) \r
INSERT INTO item VALUES (8) \p \g
\g
