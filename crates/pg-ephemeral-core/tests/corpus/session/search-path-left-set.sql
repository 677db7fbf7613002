-- The search_path that the file sets stays set to its end.
CREATE SCHEMA shop;
SET search_path = shop, public;
CREATE TABLE item (id int);
CREATE FUNCTION public.path() RETURNS text LANGUAGE sql AS $$ SELECT current_setting('search_path') $$;
INSERT INTO item VALUES (1);
CREATE TABLE public.seen AS SELECT path() AS path;
SET search_path = '';
