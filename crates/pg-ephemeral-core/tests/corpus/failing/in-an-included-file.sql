-- The error is in a file that is included.
CREATE TABLE item (v text);
\i failing/parts/broken.sql
INSERT INTO item VALUES ('never');
