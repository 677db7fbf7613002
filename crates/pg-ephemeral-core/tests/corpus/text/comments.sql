-- Comments: nested, with quotes, semicolons and commands in them, and within statements.
/* one /* within */ another; */ CREATE TABLE item (id int); -- don't
/* it's
\q
; */
INSERT /* ; */ INTO item -- ; $$
VALUES (1); /*/**/*/
/**/INSERT INTO item VALUES (2)/* ' */;
INSERT INTO item VALUES (3 --' comment
+ 1);
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ /* kept ; */ SELECT 1 -- kept too
$$;
INSERT INTO item VALUES (5-- -1
);
--
/* the last one */
