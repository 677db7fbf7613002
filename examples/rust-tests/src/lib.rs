//! A library that lends books.

use tokio_postgres::{Client, Error};

/// Lends a book that is there. Gives whether it was.
///
/// # Errors
/// What the server says.
pub async fn lend(client: &Client, title: &str, borrower: &str) -> Result<bool, Error> {
    let update = "UPDATE books SET borrower = $2 WHERE title = $1 AND borrower IS NULL";
    Ok(client.execute(update, &[&title, &borrower]).await? == 1)
}
