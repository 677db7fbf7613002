-- One BEGIN … COMMIT around a whole schema with functions, triggers, a DO block, COPY and comments in odd places.
BEGIN; -- the schema
CREATE TYPE state AS ENUM ('new', 'done'); /* ; */ CREATE TABLE job (id int PRIMARY KEY, state state DEFAULT 'new');
CREATE FUNCTION finish(job) RETURNS void BEGIN ATOMIC UPDATE job SET state = 'done' WHERE id = $1.id; END;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN new.id := new.id * 10; RETURN new; END; $_$;
CREATE TRIGGER stamp BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION stamp();
COPY job (id) FROM stdin;
1
2
\.
DO $$ DECLARE j job; BEGIN FOR j IN SELECT * FROM job WHERE id > 10 LOOP PERFORM finish(j); END LOOP; END $$;
SAVEPOINT before_it; DROP TABLE job CASCADE; ROLLBACK TO before_it;
COMMIT; -- it's done
