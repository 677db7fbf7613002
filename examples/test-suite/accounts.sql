CREATE TABLE accounts (owner text PRIMARY KEY, balance integer NOT NULL CHECK (balance >= 0));
INSERT INTO accounts VALUES ('ann', 10), ('bob', 0);
