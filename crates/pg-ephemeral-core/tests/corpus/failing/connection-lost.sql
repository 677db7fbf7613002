-- The server ends the connection.
CREATE TABLE item (id int);
SELECT pg_terminate_backend(pg_backend_pid());
INSERT INTO item VALUES (1);
