-- \gexec adds enum values outside a transaction, which are used within one that psql begins by itself.
CREATE TYPE level AS ENUM ('low');
SELECT format('ALTER TYPE level ADD VALUE %L', v) FROM unnest(ARRAY['mid', 'it''s; high']) v \gexec
\set AUTOCOMMIT off
CREATE TABLE item (l level DEFAULT 'mid');
INSERT INTO item VALUES (DEFAULT), ('it''s; high');
SAVEPOINT a;
DELETE FROM item;
ROLLBACK TO a;
COMMIT;
\set AUTOCOMMIT on
VACUUM item;
