CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text NOT NULL,
    cents integer NOT NULL CHECK (cents > 0)
);
CREATE INDEX orders_by_customer ON orders (customer);
