-- The last statement has no semicolon; psql sends it at the end of the file.
CREATE TABLE item (id int);
INSERT INTO item VALUES (1);
INSERT INTO item
  VALUES (2) -- the last
