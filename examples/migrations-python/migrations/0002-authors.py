from yoyo import step

__depends__ = {"0001-books"}

steps = [
    step("ALTER TABLE books ADD COLUMN author text NOT NULL DEFAULT 'unknown'"),
    step("CREATE INDEX books_by_author ON books (author)"),
]
