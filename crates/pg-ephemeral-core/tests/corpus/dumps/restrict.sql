-- A dump between \restrict and \unrestrict, as pg_dump writes them since August 2025.
\restrict Abc123

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.item (
    id integer NOT NULL,
    v text
);
COPY public.item (id, v) FROM stdin;
1	a;b
2	\N
\.


\unrestrict Abc123

CREATE TABLE public.after_it (id integer);
