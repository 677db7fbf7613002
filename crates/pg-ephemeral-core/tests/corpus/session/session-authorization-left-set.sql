-- SET SESSION AUTHORIZATION stays set to the end of the file.
CREATE ROLE clerk;
CREATE SCHEMA desk AUTHORIZATION clerk;
SET SESSION AUTHORIZATION clerk;
CREATE TABLE desk.paper (author name DEFAULT session_user);
INSERT INTO desk.paper VALUES (DEFAULT);
