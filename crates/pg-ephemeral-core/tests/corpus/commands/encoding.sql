-- \encoding and SET client_encoding change how the bytes that follow are read.
CREATE TABLE item (encoding text, v text);
INSERT INTO item VALUES (:'ENCODING', 'é');
\encoding SQL_ASCII
INSERT INTO item VALUES (current_setting('client_encoding'), 'plain');
\encoding UTF8
INSERT INTO item VALUES (current_setting('client_encoding'), 'ü');
SET client_encoding = 'WIN1252';
INSERT INTO item VALUES (:'ENCODING', 'Ã¼');
RESET client_encoding;
