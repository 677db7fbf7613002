-- A table is named though it has an alias: the server has a hint.
CREATE TABLE item (id int);
SELECT item.id FROM item AS i;
