-- How text is sorted, by the database's locale and by "C", is kept as data.
CREATE TABLE word (v text);
INSERT INTO word VALUES ('Alpha'), ('alpha'), ('beta'), ('Beta'), ('_x'), ('b-a'), ('ba'), ('Ähre'), ('zoo');
CREATE TABLE found AS
  SELECT string_agg(v, ' ' ORDER BY v) AS here, string_agg(v, ' ' ORDER BY v COLLATE "C") AS c, upper('straße é') AS upper FROM word;
CREATE INDEX ON word (v);
