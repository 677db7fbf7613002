//! A library that lends books.

use tokio_postgres::{Client, Error};

/// Lends a book if it is available. Returns `true` if it was.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn lend(client: &Client, title: &str, borrower: &str) -> Result<bool, Error> {
    let update = "UPDATE books SET borrower = $2 WHERE title = $1 AND borrower IS NULL";
    Ok(client.execute(update, &[&title, &borrower]).await? == 1)
}
