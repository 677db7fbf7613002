INSERT INTO item VALUES ('first');
