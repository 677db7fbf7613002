-- A transaction begins in one file and ends in another; \q in an included file ends that file only.
CREATE TABLE item (v text);
BEGIN;
INSERT INTO item VALUES ('undone');
\i parts/rolls-back.sql
INSERT INTO item VALUES ('done');
\i parts/quits.sql
INSERT INTO item VALUES ('after the file that quit');
