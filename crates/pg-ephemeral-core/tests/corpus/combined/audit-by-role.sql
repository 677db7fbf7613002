-- An audit trigger notes role and statement, over SET ROLE, prepared statements, COPY, \gexec and joined statements.
CREATE ROLE clerk;
CREATE TABLE item (id int);
CREATE TABLE journal (n int GENERATED ALWAYS AS IDENTITY, who name, query text);
CREATE FUNCTION note() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.journal (who, query) VALUES (session_user, current_query()); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT ON item FOR EACH STATEMENT EXECUTE FUNCTION note();
GRANT INSERT ON item TO clerk;
SET ROLE clerk;
INSERT INTO item VALUES (1);
RESET ROLE;
PREPARE add AS INSERT INTO item VALUES (2);
EXECUTE add;
COPY item FROM stdin;
3
\.
SELECT 'INSERT INTO item VALUES (4)' \gexec
INSERT INTO item VALUES (5) \; SELECT 6;
\set n 7
INSERT INTO item VALUES (:n);
SET SESSION AUTHORIZATION clerk;
INSERT INTO item VALUES (8);
