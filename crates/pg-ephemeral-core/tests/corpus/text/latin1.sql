-- The file is in Latin-1, and says so before its first letter beyond ASCII.
SET client_encoding = 'LATIN1';
CREATE TABLE item (v text, "größe" int);
INSERT INTO item VALUES ('café; naïve', 1);
-- ein Kommentar über nichts
COPY item (v) FROM stdin;
ÿ ÀÉ
\.
