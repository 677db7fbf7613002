export const up = (pgm) => {
  pgm.addColumns('books', { author: { type: 'text', notNull: true, default: 'unknown' } });
  pgm.createIndex('books', 'author', { name: 'books_by_author' });
};
