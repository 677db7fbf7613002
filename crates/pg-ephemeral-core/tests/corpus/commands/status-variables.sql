-- psql tells in variables how the last statement went.
CREATE TABLE item (id int PRIMARY KEY, v text);
INSERT INTO item SELECT n, '' FROM generate_series(1, 3) n;
\set rows :ROW_COUNT
INSERT INTO item VALUES (10, :'rows' || :'ERROR' || :'SQLSTATE');
\set ON_ERROR_STOP off
INSERT INTO item VALUES (10);
\set state :SQLSTATE
\set message :LAST_ERROR_MESSAGE
\if :ERROR
  INSERT INTO item VALUES (11, :'state' || ' ' || :'message');
\endif
\set ON_ERROR_STOP on
SELECT :SERVER_VERSION_NUM >= 100000 AS new_enough, :'DBNAME' || :'USER' AS who, :'ENCODING' AS encoding \gset
\if :new_enough
  INSERT INTO item VALUES (12, :'who' || :'encoding');
\endif
