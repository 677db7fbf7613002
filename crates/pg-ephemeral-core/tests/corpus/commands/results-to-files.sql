-- Results go to files and programs; the statements run once each.
CREATE TABLE item (id int);
INSERT INTO item VALUES (1) RETURNING id \g /dev/null
SELECT 'to a program' \g | cat >/dev/null
\o /dev/null
INSERT INTO item VALUES (2) RETURNING id;
\qecho to the same file
\o
\o | cat >/dev/null
INSERT INTO item VALUES (3) RETURNING id;
\o
INSERT INTO item VALUES (4)
\w /dev/null
;
