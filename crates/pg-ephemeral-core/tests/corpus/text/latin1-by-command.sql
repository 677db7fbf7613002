-- The file is in Latin-1 between two \encoding commands.
CREATE TABLE item (v text);
\encoding LATIN1
\set name 'é'
INSERT INTO item VALUES ('café'), (:'name');
\encoding UTF8
INSERT INTO item VALUES ('cafÃ©');
