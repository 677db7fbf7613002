-- Tables in partitions by range, list and hash, with indexes, sub-partitions and one that is detached.
CREATE TABLE sale (id int, day date, shop text NOT NULL, UNIQUE (id, day, shop)) PARTITION BY RANGE (day);
CREATE TABLE sale_2023 PARTITION OF sale FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE sale_2024 PARTITION OF sale FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (shop);
CREATE TABLE sale_2024_a PARTITION OF sale_2024 FOR VALUES IN ('a');
CREATE TABLE sale_2024_rest PARTITION OF sale_2024 DEFAULT;
CREATE INDEX ON sale (shop);
INSERT INTO sale VALUES (1, '2023-05-05', 'a'), (2, '2024-05-05', 'a'), (3, '2024-05-06', 'b');
UPDATE sale SET day = '2024-01-01' WHERE id = 1;
CREATE TABLE hashed (id int) PARTITION BY HASH (id);
SELECT format('CREATE TABLE hashed_%s PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER %s)', n, n) FROM generate_series(0, 2) n \gexec
INSERT INTO hashed SELECT generate_series(1, 20);
ALTER TABLE sale DETACH PARTITION sale_2023;
