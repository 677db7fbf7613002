-- \connect begins a new session: settings, temporary tables and an open transaction are gone, variables stay.
\set kept 5
CREATE TABLE item (id int, v text);
CREATE TEMP TABLE brief (id int);
SET search_path = nowhere;
BEGIN;
INSERT INTO public.item VALUES (0, 'lost');
\c postgres
SELECT to_regclass('pg_temp.brief') IS NULL AS gone \gset
INSERT INTO item VALUES (:kept, :'gone' || current_setting('search_path'));
\c
INSERT INTO item VALUES (6, 'again');
