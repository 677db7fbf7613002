-- The same file is included twice, and one is included in a branch that is taken.
CREATE TABLE item (v text);
\i parts/first.sql
\i parts/first.sql
\if true
  \i parts/deep/fourth.sql
\else
  \i parts/absent.sql
\endif
