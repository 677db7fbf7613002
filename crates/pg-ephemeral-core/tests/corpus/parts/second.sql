INSERT INTO item VALUES ('second');
\ir deep/fourth.sql
INSERT INTO item VALUES ('second, after the fourth');
