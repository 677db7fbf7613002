-- A schema in several files, included under conditions that earlier results decide.
CREATE TABLE item (v text);
\set load_first 1
SELECT current_setting('server_version_num')::int >= 100000 AS modern \gset
\if :load_first
  \i parts/first.sql
  SELECT count(*) = 1 AS loaded FROM item \gset
  \if :loaded
    \ir ../parts/second.sql
  \else
    \i parts/absent.sql
  \endif
\endif
\if :modern
COPY item FROM stdin;
within a branch; \\endif
\.
\else
COPY nowhere FROM 'a file';
\endif
