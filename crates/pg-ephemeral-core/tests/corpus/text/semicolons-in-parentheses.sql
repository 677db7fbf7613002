-- A semicolon within parentheses ends no statement: a rule with several actions.
CREATE TABLE item (id int);
CREATE TABLE log (id int, what text);
CREATE RULE two AS ON INSERT TO item DO ALSO (
  INSERT INTO log VALUES (new.id, 'added; ');
  INSERT INTO log VALUES (new.id, 'again')
);
CREATE RULE one AS ON DELETE TO item DO ALSO (INSERT INTO log VALUES (old.id, 'removed'););
INSERT INTO item VALUES (1);
DELETE FROM item;
