-- COPY fires triggers and fills generated columns, partitions and identity columns.
CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY, v text, twice text GENERATED ALWAYS AS (v || v) STORED);
CREATE TABLE log (v text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (new.v); RETURN new; END $$;
CREATE TRIGGER note BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION note();
COPY item (v) FROM stdin;
a
b
\.
CREATE TABLE part (id int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part_2 PARTITION OF part DEFAULT;
COPY part FROM stdin;
5
50
\.
CREATE VIEW shown AS SELECT v FROM item;
CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES ('view ' || new.v); RETURN new; END $$;
CREATE TRIGGER put INSTEAD OF INSERT ON shown FOR EACH ROW EXECUTE FUNCTION put();
COPY shown FROM stdin;
c
\.
