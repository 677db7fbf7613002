INSERT INTO item VALUES ('before \q');
COMMIT;
\q
INSERT INTO item VALUES ('never');
