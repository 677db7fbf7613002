-- \if, \elif, \else and \endif, nested, with what the server would refuse in the branches that are not taken.
CREATE TABLE item (v text);
\set large yes
\if :large
  INSERT INTO item VALUES ('large');
  \if false
    this is not SQL;
    \connect nowhere
  \elif :{?large}
    INSERT INTO item VALUES ('set');
  \else
    SELECT 1/0;
  \endif
\else
  \include no-such-file.sql
  INSERT INTO nowhere VALUES ('a text with \endif in it');
\endif
SELECT count(*) > 5 AS many, count(*) = 2 AS two FROM item \gset
\if :many
  DROP TABLE item;
\elif :two
  INSERT INTO item VALUES ('two before');
\endif
INSERT INTO item VALUES (
\if off
  'not this'
\else
  'within a statement'
\endif
);
