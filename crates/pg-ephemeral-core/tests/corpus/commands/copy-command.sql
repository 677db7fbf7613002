-- \copy reads files, programs and the lines that follow it, and writes files and programs.
CREATE TABLE item (id int, v text);
\copy item from 'parts/rows.tsv'
\copy item (v, id) from parts/rows.csv with (format csv, header, delimiter ';')
\copy item from program 'printf "7\tfrom a program\n"'
\copy item from stdin
8	from the file itself; it's
9	\N
\.
\copy (select * from item order by id) to '/dev/null' csv
\copy item to program 'cat >/dev/null'
\copy item to stdout
INSERT INTO item VALUES (10, 'last');
