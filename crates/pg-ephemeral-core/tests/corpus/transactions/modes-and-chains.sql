-- Transactions with modes, and the ones that follow at once with AND CHAIN.
CREATE TABLE mode (n int, level text, read_only text);
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO mode VALUES (1, current_setting('transaction_isolation'), current_setting('transaction_read_only'));
COMMIT AND CHAIN;
INSERT INTO mode VALUES (2, current_setting('transaction_isolation'), current_setting('transaction_read_only'));
ROLLBACK AND CHAIN;
INSERT INTO mode VALUES (3, current_setting('transaction_isolation'), current_setting('transaction_read_only'));
COMMIT;
START TRANSACTION READ ONLY;
SELECT count(*) FROM mode;
COMMIT;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ;
INSERT INTO mode VALUES (4, current_setting('transaction_isolation'), current_setting('transaction_read_only'));
