-- Programs of the shell: \! runs one, backticks take its output, \setenv sets its environment.
CREATE TABLE item (v text);
\! echo from the shell
\! false
\set greeting `echo "hello; it's me"`
INSERT INTO item VALUES (:'greeting');
\setenv ACME_TENANT seven
\set tenant `echo "$ACME_TENANT"`
INSERT INTO item VALUES (:'tenant');
\if `echo true`
  INSERT INTO item VALUES ('true, as the shell says');
\endif
\setenv ACME_TENANT
\set tenant `echo "[$ACME_TENANT]"`
INSERT INTO item VALUES (:'tenant');
