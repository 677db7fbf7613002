-- The role that the file sets stays set to its end, and makes the objects.
CREATE ROLE keeper;
GRANT CREATE ON SCHEMA public TO keeper;
SET ROLE keeper;
CREATE TABLE kept (id int);
RESET ROLE;
CREATE TABLE ours (id int);
SET ROLE keeper;
INSERT INTO kept VALUES (1);
