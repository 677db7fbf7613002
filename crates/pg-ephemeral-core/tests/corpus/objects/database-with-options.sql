-- Databases with other options: an encoding, a template with data, and one that takes no connections.
CREATE TABLE item (id int);
CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0 CONNECTION LIMIT 7;
CREATE DATABASE model;
\connect model
CREATE TABLE shared (v text);
INSERT INTO shared VALUES ('é');
\connect postgres
CREATE DATABASE copy TEMPLATE model;
ALTER DATABASE model IS_TEMPLATE true;
ALTER DATABASE copy SET work_mem = '5MB';
CREATE DATABASE closed ALLOW_CONNECTIONS false;
INSERT INTO item VALUES (1);
