-- Event triggers take notes of what statements do to the schema.
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, event text, tag text, object text);
CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF tg_event = 'ddl_command_end' THEN
    INSERT INTO log (event, tag, object) SELECT tg_event, tg_tag, object_identity FROM pg_event_trigger_ddl_commands();
  ELSE
    INSERT INTO log (event, tag) VALUES (tg_event, tg_tag);
  END IF;
END $$;
CREATE EVENT TRIGGER note_start ON ddl_command_start EXECUTE FUNCTION note();
CREATE EVENT TRIGGER note_end ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE INDEX') EXECUTE FUNCTION note();
CREATE TABLE item (id int PRIMARY KEY);
ALTER TABLE item ADD COLUMN v text;
CREATE INDEX ON item (v);
ALTER EVENT TRIGGER note_start DISABLE;
DROP TABLE item;
