-- A column that is misspelt: the server has a hint and a position.
CREATE TABLE item (amount int);

SELECT amout
FROM item;
