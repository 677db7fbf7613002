-- A statement that \gexec runs fails.
CREATE TABLE item (id int);
SELECT unnest(ARRAY['INSERT INTO item VALUES (1)', 'INSERT INTO item VALUES (''x'')'])
\gexec
