/** Lends a book if it is available. Returns true if it was. */
export async function lend(client, title, borrower) {
  const update = "update books set borrower = $2 where title = $1 and borrower is null";
  return (await client.query(update, [title, borrower])).rowCount === 1;
}
