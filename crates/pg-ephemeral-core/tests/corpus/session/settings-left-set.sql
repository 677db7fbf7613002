-- Settings that would spoil what comes after stay in the file's own session.
CREATE TABLE moment (id int, at timestamptz, since interval, plain date, raw bytea, number float8);
SET timezone = 'Asia/Tokyo';
SET datestyle = 'German, DMY';
SET intervalstyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = 0;
INSERT INTO moment VALUES (1, '02.01.2024 03:04:05', 'P1DT2H', '02.01.2024', 'a\000b', 0.1 + 0.2);
CREATE VIEW shown AS SELECT '2024-01-02 03:04+00'::timestamptz AS at, '1 day'::interval AS since;
SET statement_timeout = '1s';
SET lock_timeout = '1ms';
SET client_min_messages = error;
SET default_transaction_read_only = on;
