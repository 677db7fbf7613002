export const up = (pgm) => {
  pgm.createTable('books', {
    id: { type: 'integer', primaryKey: true, sequenceGenerated: { precedence: 'ALWAYS' } },
    title: { type: 'text', notNull: true },
  });
};
