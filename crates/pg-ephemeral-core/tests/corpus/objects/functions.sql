-- Functions with all kinds of arguments, results and settings, overloaded and replaced.
CREATE FUNCTION f(a int, OUT b int, INOUT c text DEFAULT 'x;y', VARIADIC d int[] DEFAULT '{}') LANGUAGE plpgsql
AS $$ BEGIN b := a + cardinality(d); c := c || 'z'; END $$;
CREATE FUNCTION f(a text) RETURNS SETOF text STABLE STRICT PARALLEL SAFE COST 5 ROWS 3 SET search_path = '' LANGUAGE sql
AS $$ SELECT unnest(string_to_array(a, ';')); $$;
CREATE FUNCTION g() RETURNS TABLE (n int, v text) SECURITY DEFINER LANGUAGE plpgsql AS $$
<<outer>>
DECLARE r record; c CURSOR FOR SELECT generate_series(1, 3);
BEGIN
  FOR r IN SELECT * FROM f('a;b') AS x LOOP n := 1; v := r.x; RETURN NEXT; END LOOP;
  BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN v := sqlstate; RETURN NEXT; END;
END $$;
CREATE TABLE found AS SELECT * FROM g();
INSERT INTO found SELECT b, c FROM f(1, 'c', 5, 6);
CREATE OR REPLACE FUNCTION f(a text) RETURNS SETOF text LANGUAGE sql AS 'SELECT ''new; '' || a';
INSERT INTO found SELECT 9, f('a');
DROP FUNCTION f(int, text, int[]);
COMMENT ON FUNCTION f(text) IS 'it''s; new';
