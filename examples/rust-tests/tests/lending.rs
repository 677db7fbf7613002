//! Each test has its own database with the three books from the seeds.

use library::lend;
use pg_ephemeral_testkit::database;

#[tokio::test]
async fn a_book_is_lent_once() {
    let database = database().await;
    let client = database.connect().await.unwrap();
    assert!(lend(&client, "Emma", "Ann").await.unwrap());
    assert!(!lend(&client, "Emma", "Bob").await.unwrap());
}

#[tokio::test]
async fn a_book_that_is_not_there_is_not_lent() {
    let database = database().await;
    let client = database.connect().await.unwrap();
    assert!(!lend(&client, "Dune", "Ann").await.unwrap());
}

/// Generates tests that all lend the same book. If they shared a database, only one of them could succeed.
macro_rules! many {
    ($($tens:ident)*) => {$(
        mod $tens {
            many! { @ a b c d e f g h i j }
        }
    )*};
    (@ $($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            let database = pg_ephemeral_testkit::database().await;
            let client = database.connect().await.unwrap();
            assert!(library::lend(&client, "Beowulf", stringify!($name)).await.unwrap());
            let row = client.query_one("SELECT count(*) FROM books WHERE borrower IS NULL", &[]).await.unwrap();
            assert_eq!(row.get::<_, i64>(0), 2);
        }
    )*};
}

many! { k l m n o p q r s t }
