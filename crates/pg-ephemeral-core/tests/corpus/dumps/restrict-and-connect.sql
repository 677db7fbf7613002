-- A dump of two databases: \connect comes between the \unrestrict and the next \restrict.
\restrict first

CREATE DATABASE one WITH TEMPLATE = template0 ENCODING = 'UTF8';
ALTER DATABASE one OWNER TO postgres;
\unrestrict first
\connect one
\restrict second

SET default_table_access_method = heap;
CREATE TABLE public.item (id integer);
COPY public.item (id) FROM stdin;
1
\.

\unrestrict second
\connect postgres
CREATE TABLE public.item (id integer);
