-- TRUNCATE may follow a row with a deferred foreign key.
CREATE TABLE rack (id int PRIMARY KEY);
CREATE TABLE box (id int, rack_id int REFERENCES rack DEFERRABLE INITIALLY DEFERRED);
INSERT INTO rack VALUES (1);
INSERT INTO box VALUES (10, 1);
TRUNCATE box;
INSERT INTO box VALUES (11, 1);
TRUNCATE rack, box;
INSERT INTO rack VALUES (2);
