-- now() is the time of a statement's own transaction: two statements have two times, so both rows have a key.
CREATE TABLE reading (sensor int, at timestamptz DEFAULT now(), degrees int, PRIMARY KEY (sensor, at));
INSERT INTO reading (sensor, degrees) VALUES (1, 20);
INSERT INTO reading (sensor, degrees) VALUES (1, 23);
CREATE TABLE found AS
  SELECT count(*) AS rows, count(DISTINCT at) AS times, (array_agg(degrees ORDER BY at DESC))[1] AS latest FROM reading;
DROP TABLE reading;
