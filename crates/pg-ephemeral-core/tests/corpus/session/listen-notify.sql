-- LISTEN and NOTIFY: psql prints the notifications between statements.
CREATE TABLE item (id int);
LISTEN news;
NOTIFY news, 'first';
INSERT INTO item VALUES (1);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_notify('news', 'row ' || new.id); RETURN new; END $$;
CREATE TRIGGER tell AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO item VALUES (2), (3);
UNLISTEN *;
NOTIFY news;
