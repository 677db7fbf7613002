set positional-arguments

# List the recipes.
_default:
    @{{ just_executable() }} --list

# Start a throw-away server and query it.
demo:
    @scripts/demo

# All tests: `just test --tier host`, `just test -- NAME`.
test *arguments:
    @scripts/test "$@"

# The tests against real podman and docker; sets them up on Debian.
test-engines *arguments:
    @scripts/test --tier engines "$@"

# The test suites of published packages under run-env: `just test-suites --backend podman pg-cursor`.
test-suites *arguments:
    @scripts/test-suites "$@"

# Formatting, clippy, documentation, and what must not be committed.
lint:
    @scripts/lint

# Measure boots, caches and sessions.
bench *arguments:
    @scripts/bench "$@"

# Measure copies of a seeded database: `just bench-databases /dev/shm`.
bench-databases *arguments:
    @cargo bench --quiet --package pg-ephemeral-testkit --bench databases -- "$@"

# Measure a seed with a big file of SQL: `just bench-seeds --size 100M --backend host,podman`.
bench-seeds *arguments:
    @scripts/bench seeds "$@"

# Write the manual pages and completion scripts anew.
documents:
    @scripts/documents

# Build the documentation as a book, in target/book: `just book --open`.
book *arguments:
    @scripts/book "$@"

# Run the session that README.md shows, and write docs/terminal.svg.
picture:
    @scripts/terminal-picture

# Kill things at the worst moment and look for what is left behind.
chaos *arguments:
    @scripts/chaos "$@"

# Fuzz every parser for a minute in all: `just fuzz --seconds 600`, `just fuzz sql`.
fuzz *arguments:
    @scripts/fuzz "$@"

# Which lines the tests reach.
coverage *arguments:
    @scripts/coverage "$@"

# Which changes of what decides on removal no test notices: `just mutants crates/pg-ephemeral-core/src/model/owner.rs`.
mutants *arguments:
    @scripts/mutants "$@"

# What CI runs.
ci:
    @CI=true bash .ci/run
