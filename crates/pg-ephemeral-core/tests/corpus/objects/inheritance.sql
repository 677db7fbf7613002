-- Tables that inherit, also from two parents.
CREATE TABLE place (name text, height int DEFAULT 0 CHECK (height < 9000));
CREATE TABLE capital (country text) INHERITS (place);
CREATE TABLE port (name text, depth int);
CREATE TABLE harbour_town () INHERITS (place, port);
INSERT INTO place VALUES ('Hut', 2000);
INSERT INTO capital VALUES ('Rome', 21, 'IT');
INSERT INTO harbour_town VALUES ('Genoa', 1, 15);
ALTER TABLE place ADD COLUMN seen boolean;
UPDATE place SET seen = true;
ALTER TABLE harbour_town NO INHERIT port;
