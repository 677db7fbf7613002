-- Texts in all their forms: escapes, Unicode, bits, several lines, and parts that are joined.
CREATE TABLE item (id int, v text);
INSERT INTO item VALUES (1, 'it''s; here'), (2, E'it\'s; \\ \x41\u00e9\n'), (3, U&'d\0061t\+000061 \\'),
  (4, U&'d!0061t' UESCAPE '!'), (5, 'back\slash\'), (6, 'a' 
  'b'), (8, 'two
lines; and \q'), (9, N'national'), (10, e'\\'), (11, '');
INSERT INTO item VALUES (12, B'101'::text || X'1F'::text), (13, 'a' -- a comment between
  'b');
CREATE TABLE bytes (b bytea);
INSERT INTO bytes VALUES ('\x00ff'), (E'\\000\\377'), ('a\\b');
