#!/bin/sh
# Stands in for the tests of your project.
set -e
test "$(psql -qXAtc "SELECT count(*) FROM orders WHERE customer = 'customer 7'")" = 40
echo "ok: each customer has orders"
