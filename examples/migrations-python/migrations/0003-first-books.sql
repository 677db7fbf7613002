-- depends: 0002-authors
INSERT INTO books (title, author) VALUES
    ('Emma', 'Jane Austen'),
    ('Middlemarch', 'George Eliot'),
    ('Beowulf', DEFAULT);
