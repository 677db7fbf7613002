-- \copy names a file that does not exist.
CREATE TABLE item (id int);

\copy item from 'failing/parts/absent.tsv'
