-- The file is in Shift-JIS, whose second bytes are backslashes and quotes at times.
SET client_encoding = 'SJIS';
CREATE TABLE item (id int, v text);
INSERT INTO item VALUES (1, '表'), (2, 'ソ; 能力');
COPY item FROM stdin;
3	予
4	十
\.
INSERT INTO item VALUES (5, E'表\n');
