\set threshold 300
\ir expensive.sql
