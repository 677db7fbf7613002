-- Dollar quotes with tags, within each other, and with everything in them that means something outside.
CREATE TABLE item (v text);
INSERT INTO item VALUES ($$it's; "here"$$), ($a$$$;$$ $b$ ; $b$ $a$), ($été_1$ -- \q $été$ $été_1$), ($$$$);
INSERT INTO item VALUES ($A$ $a$ ; $A$), ($_$ /* $_$), ($$
\echo not a command
\if false
:size ' " $ 5$
$$);
DO $outer$
BEGIN
  EXECUTE $inner$ CREATE FUNCTION f(a$1 int) RETURNS int LANGUAGE sql AS $f$ SELECT $1; $f$ $inner$;
END
$outer$;
CREATE TABLE with$dollar$ (a$b int);
INSERT INTO with$dollar$ (a$b) VALUES (1);
