ALTER TABLE books ADD COLUMN author text NOT NULL DEFAULT 'unknown';
CREATE INDEX books_by_author ON books (author);
