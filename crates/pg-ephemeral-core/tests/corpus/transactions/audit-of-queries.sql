-- A trigger keeps current_query(): the text of the one statement that ran, not of the file.
CREATE TABLE account (id int);
CREATE TABLE journal (id int GENERATED ALWAYS AS IDENTITY, query text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN INSERT INTO journal (query) VALUES (current_query()); RETURN new; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO account VALUES (1);
INSERT INTO account VALUES (2), (3);  -- a comment after it
/* a comment before it */ INSERT INTO account VALUES (4);
INSERT
  INTO account -- a comment in it
  VALUES (5) ;
UPDATE account SET id = id + 10 WHERE id = 5
\g
