-- SET LOCAL ends with its transaction; SET in a transaction that is rolled back is undone.
CREATE TABLE seen (n int, zone text);
BEGIN;
SET LOCAL timezone = 'Asia/Tokyo';
INSERT INTO seen VALUES (1, current_setting('timezone'));
COMMIT;
SET timezone = 'Europe/Rome';
INSERT INTO seen VALUES (2, current_setting('timezone'));
BEGIN;
SET timezone = 'America/Lima';
INSERT INTO seen VALUES (0, current_setting('timezone'));
ROLLBACK;
INSERT INTO seen VALUES (3, current_setting('timezone'));
SELECT set_config('acme.tenant', 'seven', false);
INSERT INTO seen VALUES (4, current_setting('acme.tenant'));
RESET ALL;
INSERT INTO seen SELECT 5, coalesce(nullif(current_setting('acme.tenant', true), ''), 'none');
