-- A deferred constraint trigger fires before the ALTER TABLE that follows its statement.
CREATE TABLE entry (id int, checked boolean DEFAULT false);
CREATE TABLE seen (id int);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (new.id); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER look AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look();
INSERT INTO entry VALUES (1), (2);
ALTER TABLE entry DROP COLUMN checked;
ALTER TABLE seen ADD PRIMARY KEY (id);
