-- COPY TO stdout prints rows, also such as look like the end of them.
CREATE TABLE item (id int, v text);
INSERT INTO item VALUES (1, '\.'), (2, E'\\q\n'), (3, NULL);
COPY item TO stdout;
COPY (SELECT v FROM item ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER);
COPY item TO stdout \g /dev/null
COPY item TO '/dev/null';
COPY item TO PROGRAM 'cat >/dev/null';
COPY item FROM PROGRAM 'printf "4\tfrom the server\n"';
