-- With standard_conforming_strings off a backslash escapes the quote that follows it.
SET standard_conforming_strings = off;
SET escape_string_warning = off;
CREATE TABLE item (v text);
INSERT INTO item VALUES ('it\'s; here');
INSERT INTO item VALUES ('C:\\new;\\'), ('\'; -- ');
SET standard_conforming_strings = on;
INSERT INTO item VALUES ('back\'), ('slash');
