-- The name of an included file is put together from variables.
\set folder parts
\set file :folder /first.sql
CREATE TABLE item (v text);
\i :file
\set which second
\i :folder/:which.sql
