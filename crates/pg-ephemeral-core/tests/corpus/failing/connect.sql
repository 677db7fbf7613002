-- \connect names a database that does not exist.
CREATE TABLE item (id int);
\connect nowhere
CREATE TABLE other (id int);
