-- The name of this file has spaces, a semicolon and quotes.
\restrict Key1
CREATE TABLE item (id int);
\unrestrict Key1
