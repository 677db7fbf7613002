-- Lines end with CR LF.
CREATE TABLE item (id int);

INSERT INTO item
  VALUES (1, 2);
