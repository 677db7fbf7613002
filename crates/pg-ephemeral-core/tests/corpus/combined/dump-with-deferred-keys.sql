-- A dump whose header sets search_path, COPY into tables with deferred keys, then more DDL and CREATE INDEX CONCURRENTLY.
\restrict Combined1
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.rack (id integer PRIMARY KEY);
CREATE TABLE public.box (id integer, rack_id integer REFERENCES public.rack DEFERRABLE INITIALLY DEFERRED);
COPY public.rack FROM stdin;
1
\.
COPY public.box FROM stdin;
10	1
\.
ALTER TABLE public.box ADD COLUMN note text;
\unrestrict Combined1
CREATE INDEX CONCURRENTLY ON public.box (rack_id);
VACUUM public.box;
