-- Functions with a body of SQL in the standard's form, with semicolons and CASE … END in them.
CREATE TABLE item (id int, v text);
CREATE FUNCTION twice(n int) RETURNS int RETURN n * 2;
CREATE PROCEDURE add(n int, t text)
BEGIN ATOMIC
  INSERT INTO item VALUES (n, t);
  INSERT INTO item VALUES (twice(n), CASE WHEN n > 1 THEN 'large; ' ELSE 'small' END);
END;
CALL add(1, 'one;');
CREATE FUNCTION sized(n int) RETURNS text LANGUAGE sql
BEGIN ATOMIC SELECT CASE WHEN n > 9 THEN 'two' ELSE 'one' END; END;
CALL add(2, sized(10)); INSERT INTO item VALUES (3, sized(1));
CREATE FUNCTION "begin"() RETURNS int BEGIN ATOMIC; SELECT 1; END;
