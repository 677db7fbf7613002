-- An error in a transaction undoes what the transaction did.
CREATE TABLE item (id int);
BEGIN;
INSERT INTO item VALUES (1);
INSERT INTO item VALUES ('x');
COMMIT;
