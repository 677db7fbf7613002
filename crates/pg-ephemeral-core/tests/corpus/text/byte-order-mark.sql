-- The file begins with the byte order mark of UTF-8.
CREATE TABLE item (v text);
INSERT INTO item VALUES ('café');
