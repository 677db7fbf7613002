-- Commands and statements share lines; \\ ends a command.
\set a 1 \\ CREATE TABLE item (id int); \set b 2 \\ INSERT INTO item VALUES (:a), (:b);
INSERT INTO item VALUES (3); \echo three \\ INSERT INTO item VALUES (4); \echo four
SELECT 5 AS five \gset \\ INSERT INTO item VALUES (:five);
\set c 6 -- this too is the value
INSERT INTO item VALUES (length(:'c'));
