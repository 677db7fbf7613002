-- COPY in CSV format: quotes, line ends within quotes, NULL and the empty text.
CREATE TABLE item (id int, v text, w text);
COPY item FROM stdin WITH (FORMAT csv, HEADER, NULL 'nil', FORCE_NOT_NULL (w));
id,v,w
1,"it's; here",plain
2,nil,"nil"
3,"","two
lines; and
\q a third"
4,"a ""quoted"" word",nil
5,\N,back\slash
\.
COPY item (w, id) FROM stdin CSV DELIMITER '|' QUOTE '''' ESCAPE '\';
'it\'s'|6
|7
\.
