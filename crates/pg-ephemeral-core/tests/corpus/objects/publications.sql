-- Publications, and a subscription that connects nowhere.
CREATE TABLE item (id int PRIMARY KEY, v text);
CREATE TABLE other (id int);
ALTER TABLE other REPLICA IDENTITY FULL;
CREATE PUBLICATION every FOR ALL TABLES WITH (publish = 'insert, update');
CREATE PUBLICATION few FOR TABLE item, ONLY other;
ALTER PUBLICATION few SET (publish = 'insert');
CREATE SUBSCRIPTION sub CONNECTION 'host=localhost dbname=nowhere' PUBLICATION few WITH (connect = false, slot_name = NONE);
