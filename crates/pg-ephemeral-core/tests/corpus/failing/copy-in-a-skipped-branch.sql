-- COPY in a branch that is not taken is not sent, so its rows are no rows and the mark at their end is an error.
CREATE TABLE item (v text);
\if false
COPY item FROM stdin;
a
\.
\endif
