-- A syntax error on the second line of a statement.
CREATE TABLE item (id int);
SELECT id
  FROMM item
  WHERE true;
INSERT INTO item VALUES (1);
