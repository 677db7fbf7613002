-- DO blocks make objects, raise messages and catch errors.
CREATE TABLE item (id int PRIMARY KEY, v text);
DO $$
DECLARE n int;
BEGIN
  FOR n IN 1..3 LOOP
    EXECUTE format('CREATE TABLE %I (id int DEFAULT %L)', 'made; ' || n, n);
    INSERT INTO item VALUES (n, 'x');
  END LOOP;
  BEGIN
    INSERT INTO item VALUES (1, 'again');
  EXCEPTION WHEN unique_violation THEN
    UPDATE item SET v = sqlerrm WHERE id = 1;
  END;
END
$$ LANGUAGE plpgsql;
DO 'BEGIN DELETE FROM item WHERE id = 2; END';
DO LANGUAGE plpgsql $tag$ BEGIN IF EXISTS (SELECT FROM item WHERE id = 3) THEN RAISE NOTICE 'there; '; END IF; END $tag$;
