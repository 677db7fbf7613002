-- Text search dictionaries, foreign servers with user mappings, and a language's procedure.
CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION ours (COPY = english);
ALTER TEXT SEARCH CONFIGURATION ours ALTER MAPPING FOR asciiword WITH plain;
CREATE TABLE item (v tsvector);
INSERT INTO item VALUES (to_tsvector('ours', 'The running; dogs'));
CREATE FOREIGN DATA WRAPPER far OPTIONS (debug 'it''s; true');
CREATE SERVER there TYPE 'none' VERSION '1' FOREIGN DATA WRAPPER far OPTIONS (host 'example.org');
CREATE USER MAPPING FOR postgres SERVER there OPTIONS (user 'me', password 'a;b');
CREATE FOREIGN TABLE distant (id int OPTIONS (name 'ID')) SERVER there;
