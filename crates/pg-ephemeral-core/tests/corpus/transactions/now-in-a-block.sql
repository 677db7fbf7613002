-- Between BEGIN and COMMIT now() stands still, and it moves on after that.
CREATE TABLE moment (at timestamptz DEFAULT now(), place text);
BEGIN;
INSERT INTO moment (place) VALUES ('a');
INSERT INTO moment (place) VALUES ('b');
COMMIT;
INSERT INTO moment (place) VALUES ('c');
CREATE TABLE found AS
  SELECT (SELECT count(DISTINCT at) FROM moment) AS times,
         (SELECT at FROM moment WHERE place = 'a') = (SELECT at FROM moment WHERE place = 'b') AS same,
         (SELECT at FROM moment WHERE place = 'c') > (SELECT at FROM moment WHERE place = 'b') AS later;
DROP TABLE moment;
