-- VACUUM is refused in a transaction.
CREATE TABLE item (id int);
BEGIN;
VACUUM item;
COMMIT;
