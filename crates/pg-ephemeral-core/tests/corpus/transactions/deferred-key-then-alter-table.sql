-- A deferred foreign key is checked at the end of each statement's own transaction, so ALTER TABLE may follow.
CREATE TABLE rack (id int PRIMARY KEY);
CREATE TABLE box (id int PRIMARY KEY, rack_id int REFERENCES rack DEFERRABLE INITIALLY DEFERRED);
INSERT INTO rack VALUES (1);
INSERT INTO box VALUES (10, 1);
ALTER TABLE box ADD COLUMN label text DEFAULT 'plain';
UPDATE box SET rack_id = 1;
ALTER TABLE box ALTER COLUMN label SET NOT NULL;
