-- Triggers of all kinds, with transition tables, conditions, arguments and one that is off.
CREATE TABLE item (id int PRIMARY KEY, v text);
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what) VALUES (concat_ws(' ', tg_name, tg_when, tg_op, tg_level, tg_argv[0]));
  RETURN coalesce(new, old);
END $$;
CREATE FUNCTION many() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log (what) SELECT 'rows ' || count(*) FROM added; RETURN NULL; END $$;
CREATE TRIGGER a BEFORE INSERT OR UPDATE OF v ON item FOR EACH ROW EXECUTE FUNCTION note('it''s; an argument');
CREATE TRIGGER b AFTER INSERT ON item REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION many();
CREATE TRIGGER c AFTER UPDATE ON item FOR EACH ROW WHEN (old.v IS DISTINCT FROM new.v) EXECUTE FUNCTION note();
CREATE TRIGGER d AFTER DELETE ON item FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER e BEFORE TRUNCATE ON item FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO item VALUES (1, 'a'), (2, 'b');
UPDATE item SET v = 'a';
ALTER TABLE item DISABLE TRIGGER d;
ALTER TABLE item ENABLE ALWAYS TRIGGER c;
DELETE FROM item WHERE id = 1;
SET session_replication_role = replica;
UPDATE item SET v = 'c';
INSERT INTO item VALUES (3, 'quietly');
RESET session_replication_role;
TRUNCATE item;
