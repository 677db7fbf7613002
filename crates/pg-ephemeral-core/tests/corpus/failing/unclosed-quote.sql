-- A quote that is not closed takes the rest of the file with it, which psql sends at the end.
CREATE TABLE item (v text);
INSERT INTO item VALUES ('it's');
INSERT INTO item VALUES ('b');
