-- \quit in a branch that is taken ends the file with status 0.
CREATE TABLE item (id int);
SELECT count(*) = 0 AS empty FROM item \gset
\if false
  \quit
\endif
INSERT INTO item VALUES (1);
\if :empty
  \quit
\endif
DROP TABLE item;
