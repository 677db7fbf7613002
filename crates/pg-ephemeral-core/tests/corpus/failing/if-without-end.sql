-- \if without \endif.
CREATE TABLE item (id int);
\if true
INSERT INTO item VALUES (1);
