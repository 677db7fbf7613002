-- Names with quotes, semicolons, backslashes, spaces and letters beyond ASCII.
CREATE SCHEMA "a;b";
CREATE TABLE "a;b"."it""s a 'table'" ("col;umn" int, "\q" text, "$$" int, "--" int, "/*" int, ":x" int, " " int);
INSERT INTO "a;b"."it""s a 'table'" VALUES (1, '\q', 2, 3, 4, 5, 6);
CREATE TABLE Straße (größe int, Ünicode int, 日本 text);
INSERT INTO straße VALUES (1, 2, '語');
CREATE TABLE U&"d\0061t\+000061" (U&"!0062" UESCAPE '!' int);
CREATE TABLE "SELECT" ("from" int, "Where" int);
CREATE TABLE a_name_that_is_longer_than_the_sixty_three_bytes_that_the_server_keeps (id int);
CREATE TABLE _1 ("1" int);
