-- An audit trigger keeps 1,500 statements with their texts.
CREATE TABLE account (id int PRIMARY KEY, cents int);
CREATE TABLE journal (id int, query text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN INSERT INTO journal VALUES (new.id, current_query()); RETURN new; END $$;
CREATE TRIGGER note AFTER INSERT ON account FOR EACH ROW EXECUTE FUNCTION note();
SELECT format('INSERT INTO account VALUES (%s, %s);', n, n * 7 % 1000) FROM generate_series(1, 1500) n
\gexec
