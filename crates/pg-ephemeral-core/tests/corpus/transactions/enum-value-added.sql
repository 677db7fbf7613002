-- ALTER TYPE adds values to an enum type, and the statements after it use them.
CREATE TYPE colour AS ENUM ('red', 'blue');
ALTER TYPE colour ADD VALUE 'green' AFTER 'red';
ALTER TYPE colour ADD VALUE IF NOT EXISTS 'green';
CREATE TABLE car (colour colour DEFAULT 'green' CHECK (colour <> 'blue'));
INSERT INTO car VALUES (DEFAULT), ('red');
ALTER TYPE colour RENAME VALUE 'red' TO 'crimson';
INSERT INTO car VALUES ('crimson');
