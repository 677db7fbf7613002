-- A procedure and a DO block commit and roll back by themselves.
CREATE TABLE step (id int);
CREATE PROCEDURE fill(last int) LANGUAGE plpgsql AS $$
BEGIN
  FOR n IN 1..last LOOP
    INSERT INTO step VALUES (n);
    IF n % 2 = 0 THEN COMMIT; ELSE ROLLBACK; END IF;
  END LOOP;
END $$;
CALL fill(6);
DO $$ BEGIN INSERT INTO step VALUES (100); COMMIT; INSERT INTO step VALUES (101); ROLLBACK; END $$;
