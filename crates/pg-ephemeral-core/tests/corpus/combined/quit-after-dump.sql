-- A dump and an own part after it, which \q ends before a broken rest; the rest has no valid SQL and unbalanced quotes.
\restrict Q1
CREATE TABLE public.item (id integer);
COPY public.item FROM stdin;
1
\.
\unrestrict Q1
\if :{?skip_rest}
\else
  INSERT INTO item VALUES (2);
  \q
\endif
it's broken; $$ "
