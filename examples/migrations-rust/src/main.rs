//! Applies all pending files in `migrations` to the database of `DATABASE_URL`, with refinery.

use std::error::Error;
use std::process::ExitCode;

use refinery::{Runner, load_sql_migrations};
use tokio_postgres::NoTls;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match migrate().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("migrate: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn migrate() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let (mut client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let migrations = load_sql_migrations("migrations")?;
    let report = Runner::new(&migrations).run_async(&mut client).await?;
    for migration in report.applied_migrations() {
        println!("applied {migration}");
    }
    drop(client);
    Ok(connection.await??)
}
