INSERT INTO item VALUES ('third');
\ir ../fourth.sql
