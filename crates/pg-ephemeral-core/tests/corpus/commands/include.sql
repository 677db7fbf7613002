-- \i finds files from the working directory, \ir from the file that names them; files include others.
CREATE TABLE item (v text);
\i parts/first.sql
\ir ../parts/second.sql
\include 'parts/with space.sql'
\include_relative ../parts/deep/er/third.sql
INSERT INTO item VALUES ('the last line of the outer file');
