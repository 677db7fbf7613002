-- COMMIT and END without BEGIN are warnings; so is a second BEGIN.
CREATE TABLE drawer (id int);
COMMIT;
END;
BEGIN;
BEGIN;
INSERT INTO drawer VALUES (1);
COMMIT;
COMMIT WORK;
INSERT INTO drawer VALUES (2);
