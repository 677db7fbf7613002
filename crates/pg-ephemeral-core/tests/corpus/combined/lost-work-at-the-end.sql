-- An open transaction, a temporary table, a role, a cursor and a lock are left at the end; only what was committed stays.
CREATE ROLE clerk;
CREATE TABLE item (id int);
GRANT ALL ON item TO clerk;
CREATE TEMP TABLE brief AS SELECT 1 AS id;
SET ROLE clerk;
INSERT INTO public.item VALUES (1);
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM item;
INSERT INTO item VALUES (2);
LOCK TABLE item IN EXCLUSIVE MODE
