INSERT INTO item VALUES ('fourth');
