-- A backslash command that psql does not know.
CREATE TABLE item (v text);
\frobnicate item
