set positional-arguments

# List the recipes.
_default:
    @{{ just_executable() }} --list

# Start a throw-away server and query it.
demo:
    @scripts/demo

# Run the tests: `just test`, `just test --tier host`, `just test -- NAME`.
test *arguments:
    @scripts/test "$@"

# Run the tests against real Podman and Docker, and set both up on Debian.
test-engines *arguments:
    @scripts/test --tier engines "$@"

# Run the test suites of published packages under run-env: `just test-suites --backend podman pg-cursor`.
test-suites *arguments:
    @scripts/test-suites "$@"

# Check formatting, clippy, documentation, dependencies, and that nothing machine-specific is committed.
lint:
    @scripts/lint

# Measure cold and warm starts on each backend.
bench *arguments:
    @scripts/bench "$@"

# Measure copies of a seeded database: `just bench-databases /dev/shm`.
bench-databases *arguments:
    @cargo bench --quiet --package pg-ephemeral-testkit --bench databases -- "$@"

# Measure a seed with a large SQL file: `just bench-seeds --size 100M --backend host,podman`.
bench-seeds *arguments:
    @scripts/bench seeds "$@"

# Generate the manual pages, completion scripts and JSON Schema for packages, in target/documents.
documents *arguments:
    @scripts/documents "$@"

# Build the documentation as a book, in target/book: `just book --open`.
book *arguments:
    @scripts/book "$@"

# Run the terminal session shown in README.md and write its picture, docs/terminal.svg.
picture:
    @scripts/terminal-picture

# Kill pg-ephemeral at random moments and check that nothing is left behind.
chaos *arguments:
    @scripts/chaos "$@"

# Fuzz all parsers, for one minute in total by default: `just fuzz --seconds 600`, `just fuzz config`.
fuzz *arguments:
    @scripts/fuzz "$@"

# Measure which lines the tests reach.
coverage *arguments:
    @scripts/coverage "$@"

# Mutate the code that decides on removals and list mutants that no test notices: `just mutants [FILE]`.
mutants *arguments:
    @scripts/mutants "$@"

# Run everything that CI runs.
ci:
    @CI=true bash .ci/run
