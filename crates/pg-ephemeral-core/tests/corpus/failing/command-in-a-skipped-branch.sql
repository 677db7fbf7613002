-- A command that psql does not know is an error in a branch that is not taken, too.
CREATE TABLE item (v text);
\if false
  \frobnicate
\endif
