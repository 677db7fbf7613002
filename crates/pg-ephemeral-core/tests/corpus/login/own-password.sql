-- The file changes the password of the superuser that runs it.
ALTER ROLE postgres PASSWORD 'another secret';
CREATE TABLE item (id int);
