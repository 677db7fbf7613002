CREATE TABLE item (v text);

\ir ../parts/broken.sql
