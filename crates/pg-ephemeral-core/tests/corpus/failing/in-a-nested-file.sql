-- The error is in a file that an included file includes.
\ir parts/outer.sql
