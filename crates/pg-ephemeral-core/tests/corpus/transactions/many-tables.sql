-- 2,500 tables, which one transaction has too few locks for.
SELECT format('CREATE TABLE t%s (id int PRIMARY KEY, v text)', n) FROM generate_series(1, 2500) n
\gexec
