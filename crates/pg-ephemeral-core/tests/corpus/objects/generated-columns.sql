-- Generated columns and defaults that are computed.
CREATE FUNCTION slug(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(replace(t, ' ', '-')) $$;
CREATE TABLE item (
  name text DEFAULT 'No Name', slug text GENERATED ALWAYS AS (slug(name)) STORED,
  words tsvector GENERATED ALWAYS AS (to_tsvector('english', name)) STORED, length int DEFAULT length('abc;def')
);
INSERT INTO item VALUES (DEFAULT), ('The Running Dogs');
UPDATE item SET name = 'Two Words' WHERE length = 7 AND name LIKE 'No%';
CREATE INDEX ON item USING gin (words);
