-- Domains, composite types, ranges, enums and arrays of them.
CREATE DOMAIN positive AS int DEFAULT 1 NOT NULL CHECK (VALUE > 0) CONSTRAINT small CHECK (VALUE < 100);
CREATE DOMAIN "odd; name" AS text COLLATE "C" CHECK (VALUE ~ '^[a-z;]+$');
CREATE TYPE colour AS ENUM ('red', 'it''s; green', '');
CREATE TYPE point3 AS (x positive, y int, name "odd; name");
CREATE TYPE span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE TABLE item (p point3, c colour[], s span, d positive);
INSERT INTO item VALUES (ROW(1, 2, 'a;b'), '{red,"it''s; green",""}', '[1.5,2)', 7);
UPDATE item SET p.y = 5, c[2] = 'red';
ALTER TYPE point3 ADD ATTRIBUTE z int CASCADE;
ALTER DOMAIN positive DROP CONSTRAINT small;
ALTER DOMAIN positive ADD CHECK (VALUE <> 13) NOT VALID;
