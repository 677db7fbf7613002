-- A deferred unique constraint is checked at the end of each statement; ALTER TABLE may follow.
CREATE TABLE seat (place int UNIQUE DEFERRABLE INITIALLY DEFERRED, guest text);
INSERT INTO seat VALUES (1, 'Ann'), (2, 'Bob');
UPDATE seat SET place = 3 - place;
ALTER TABLE seat RENAME COLUMN guest TO visitor;
BEGIN;
UPDATE seat SET place = 1;
UPDATE seat SET place = 2 WHERE visitor = 'Bob';
COMMIT;
ALTER TABLE seat ADD CHECK (place > 0);
