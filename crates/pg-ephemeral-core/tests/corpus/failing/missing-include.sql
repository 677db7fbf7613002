-- An included file does not exist.
CREATE TABLE item (v text);
\i failing/parts/absent.sql
