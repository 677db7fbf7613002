INSERT INTO item VALUES ('a name with a space');
