-- Operators with their class, casts, aggregates and collations that the file makes.
CREATE TYPE pair AS (a int, b int);
CREATE FUNCTION pair_cmp(x pair, y pair) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT sign((x).a + (x).b - (y).a - (y).b)::int $$;
CREATE FUNCTION pair_lt(x pair, y pair) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT pair_cmp(x, y) < 0 $$;
CREATE FUNCTION pair_eq(x pair, y pair) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT pair_cmp(x, y) = 0 $$;
CREATE OPERATOR <# (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_lt);
CREATE OPERATOR =# (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_eq, COMMUTATOR = =#);
CREATE OPERATOR CLASS by_sum FOR TYPE pair USING btree AS OPERATOR 1 <# , OPERATOR 3 =# , FUNCTION 1 pair_cmp(pair, pair);
CREATE FUNCTION pair_int(p pair) RETURNS int LANGUAGE sql AS $$ SELECT (p).a * (p).b $$;
CREATE CAST (pair AS int) WITH FUNCTION pair_int(pair);
CREATE AGGREGATE product(int) (SFUNC = int4mul, STYPE = int, INITCOND = '1');
CREATE COLLATION plain FROM "C";
CREATE TABLE item (p pair, v text COLLATE plain);
CREATE INDEX ON item (p by_sum);
INSERT INTO item VALUES ((1, 2), 'a'), ((5, 1), 'B');
CREATE TABLE found AS SELECT product(p::int) AS product, array_agg(v ORDER BY v) AS sorted FROM item;
