-- The superuser is made again, as pg_dumpall does it.
CREATE TABLE item (id int);
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER;
