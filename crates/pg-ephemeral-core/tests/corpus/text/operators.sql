-- Operators and numbers that look like comments, variables or quotes.
CREATE TABLE item (id int, a int[], j jsonb, b boolean);
INSERT INTO item VALUES (1 - -1, '{1,2,3}', '{"a": {"b": [1, "x;y"]}}', true);
INSERT INTO item SELECT id*-1, a[1:2], j #- '{a,b}', j ? 'a' AND j @> '{"a": {}}' FROM item;
INSERT INTO item SELECT 2|3&1#4<<1, a[:2], j->'a'->'b', NOT j ?| ARRAY['x;'] FROM item WHERE id > 0;
INSERT INTO item (id) VALUES (1::int::int), (@ -5);
CREATE FUNCTION f(a int, b int DEFAULT 2) RETURNS int LANGUAGE sql AS 'SELECT a - b';
INSERT INTO item (id) VALUES (f(b := 1, a => 5)), (f(a:=9));
CREATE OPERATOR <-*-> (LEFTARG = int, RIGHTARG = int, FUNCTION = f);
INSERT INTO item (id) VALUES (10 <-*-> 3), (7 OPERATOR(public.<-*->) 1);
