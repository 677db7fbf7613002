-- Prepared statements live in the session until they are deallocated.
CREATE TABLE item (id int, name text);
PREPARE add(int, text) AS INSERT INTO item VALUES ($1, $2);
EXECUTE add(1, 'one; two');
EXECUTE add(2, $$it's$$);
DEALLOCATE add;
PREPARE add(int) AS INSERT INTO item VALUES ($1);
EXECUTE add(3);
DISCARD ALL;
PREPARE add AS INSERT INTO item DEFAULT VALUES;
EXECUTE add;
