-- The database is read-only for whoever connects after the file has run.
CREATE TABLE item (id int);
INSERT INTO item VALUES (1);
ALTER DATABASE postgres SET default_transaction_read_only = on;
INSERT INTO item VALUES (2);
