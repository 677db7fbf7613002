-- \connect goes to a database whose name needs quotes.
CREATE DATABASE "Shop; ""2"" of 'em";
\connect "Shop; ""2"" of 'em"
CREATE TABLE there (id int);
\set back postgres
\c :back
CREATE TABLE here (id int);
