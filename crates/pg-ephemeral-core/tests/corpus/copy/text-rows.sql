-- COPY in text format: escapes, NULL, empty texts and rows that look like SQL or psql's commands.
CREATE TABLE item (id int, v text);
COPY item (id, v) FROM stdin;
1	it's; here
2	\N
3	
4	a tab \t, a line end \n and a backslash \\
5	-- no comment
6	/* neither
7	$$ $a$ "
8	\\q
9	\\.
10	COMMIT;
11	a\
b
12	\x41\102\v\
\.
INSERT INTO item VALUES (13, 'after the rows');
