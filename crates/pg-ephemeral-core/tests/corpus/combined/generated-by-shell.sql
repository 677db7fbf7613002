-- Backticks, \setenv, \gexec and \copy from a program make tables and rows.
\set tables `printf 'a b c'`
SELECT format('CREATE TABLE %I (id int, v text)', t) FROM unnest(string_to_array(:'tables', ' ')) t \gexec
\setenv ROWS 3
\copy a from program 'for n in $(seq "$ROWS"); do printf "%s\tit is; %s\n" $n $n; done'
\! test -z "" && echo fine
SELECT string_agg(v, ',') AS all FROM (SELECT v FROM a ORDER BY id) x \gset
INSERT INTO b VALUES (1, :'all');
