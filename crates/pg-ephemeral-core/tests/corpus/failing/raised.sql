-- A function raises an error with a detail and a hint of its own.
CREATE FUNCTION refuse(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the number % is taken', n USING DETAIL = 'It is in use.', HINT = 'Take another.', ERRCODE = 'AC001';
END $$;
SELECT refuse(5);
