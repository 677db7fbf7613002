-- A function adds a value to an enum type, and the next statement uses it.
CREATE TYPE size AS ENUM ('small');
CREATE TABLE shirt (size size);
CREATE FUNCTION add_size(name text) RETURNS void LANGUAGE plpgsql
AS $$ BEGIN EXECUTE format('ALTER TYPE size ADD VALUE %L', name); END $$;
SELECT add_size('large');
INSERT INTO shirt VALUES ('large');
DO $$ BEGIN ALTER TYPE size ADD VALUE 'medium' BEFORE 'large'; END $$;
INSERT INTO shirt VALUES ('medium');
