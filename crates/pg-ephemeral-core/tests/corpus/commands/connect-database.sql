-- \connect goes to a database that the file has made, and back.
CREATE DATABASE shop;
CREATE TABLE here (id int);
\connect shop
CREATE TABLE there (id int);
INSERT INTO there VALUES (1);
\c postgres
INSERT INTO here VALUES (1);
\c 'dbname=shop application_name=seed'
INSERT INTO there VALUES (2);
