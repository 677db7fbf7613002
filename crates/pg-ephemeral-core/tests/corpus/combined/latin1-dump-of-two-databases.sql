-- A dump in Latin-1 of two databases: each \connect sets the encoding anew.
CREATE ROLE chloe;
CREATE DATABASE one;
\connect one
SET client_encoding = 'LATIN1';
CREATE TABLE item (v text DEFAULT 'é;');
COPY item FROM stdin;
café
\.
\connect postgres
SET client_encoding = 'LATIN1';
CREATE TABLE "über" (v text);
ALTER TABLE "über" OWNER TO chloe;
INSERT INTO "über" VALUES ('naïve');
