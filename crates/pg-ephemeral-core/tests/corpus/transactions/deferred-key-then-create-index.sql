-- CREATE INDEX may follow a row with a deferred foreign key.
CREATE TABLE rack (id int PRIMARY KEY);
CREATE TABLE box (id int, rack_id int REFERENCES rack DEFERRABLE INITIALLY DEFERRED);
INSERT INTO rack VALUES (1);
INSERT INTO box VALUES (10, 1), (11, NULL);
CREATE INDEX box_rack ON box (rack_id);
INSERT INTO box VALUES (12, 1);
CREATE UNIQUE INDEX ON box (id);
