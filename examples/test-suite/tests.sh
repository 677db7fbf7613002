#!/bin/sh
# A test suite that knows nothing of pg-ephemeral: psql, like every client, reads PGHOST and the other PG* variables.
failed=0
check() {
  found=$(psql -XqAt -v ON_ERROR_STOP=1 -c "BEGIN; $2" 2>&1)
  if [ "$found" = "$3" ]; then echo "ok: $1"; else echo "FAILED: $1: $found"; failed=1; fi
}
check 'money can be moved' "
  UPDATE accounts SET balance = balance - 4 WHERE owner = 'ann';
  UPDATE accounts SET balance = balance + 4 WHERE owner = 'bob';
  SELECT string_agg(balance::text, ',' ORDER BY owner) FROM accounts" '6,4'
check 'each test begins with the seeds' 'SELECT sum(balance) FROM accounts' '10'
exit $failed
