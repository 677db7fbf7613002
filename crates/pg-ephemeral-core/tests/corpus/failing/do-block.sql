-- An error within a DO block has a context.
CREATE TABLE item (id int);
DO $$
BEGIN
  INSERT INTO item VALUES (1);
  PERFORM 1 / 0;
END
$$;
