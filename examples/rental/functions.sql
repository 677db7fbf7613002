SET search_path TO rental;

CREATE FUNCTION inventory_available(inventory integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $body$
DECLARE
    open_rentals integer;
BEGIN
    SELECT count(*) INTO open_rentals FROM rental.rental r WHERE r.inventory_id = inventory AND r.returned IS NULL;
    RETURN open_rentals = 0; -- ';' and $$ in here end nothing
END;
$body$;

CREATE FUNCTION film_in_stock(film integer, store integer) RETURNS SETOF integer LANGUAGE sql STABLE AS $$
    SELECT inventory_id FROM rental.inventory
    WHERE film_id = film AND store_id = store AND rental.inventory_available(inventory_id);
$$;

CREATE FUNCTION customer_balance(customer integer, until timestamptz) RETURNS numeric LANGUAGE sql STABLE
    RETURN (SELECT coalesce(sum(p.amount), 0) FROM rental.payment p WHERE p.customer_id = customer AND p.paid <= until);

CREATE FUNCTION film_search_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search := to_tsvector('english', NEW.title || ' ' || coalesce(NEW.description, ''));
    RETURN NEW;
END
$$;

CREATE TRIGGER film_search BEFORE INSERT OR UPDATE OF title, description ON film
    FOR EACH ROW EXECUTE FUNCTION film_search_update();

CREATE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO rental AS $$
BEGIN
    INSERT INTO audit (relation, action, row_data) VALUES (TG_TABLE_NAME, TG_OP, to_jsonb(coalesce(NEW, OLD)));
    RETURN NULL;
END
$$;

CREATE TRIGGER staff_audit AFTER INSERT OR UPDATE OR DELETE ON staff FOR EACH ROW EXECUTE FUNCTION audit_row();

CREATE PROCEDURE close_rental(which bigint, at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE rental.rental SET returned = at WHERE rental_id = which;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no rental %', which USING HINT = 'look into rental.rental';
    END IF;
END
$$;

CREATE FUNCTION join_text(state text, next text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN state = '' THEN next ELSE state || ', ' || next END;
CREATE AGGREGATE text_list(text) (SFUNC = join_text, STYPE = text, INITCOND = '');
