-- A byte that is not UTF-8.
CREATE TABLE item (v text);
INSERT INTO item VALUES ('café');
