-- The second statement fails.
INSERT INTO item VALUES ('a');
INSERT INTO itm VALUES ('b');
