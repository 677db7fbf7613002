//! The first query to a server that is starting.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use tokio_postgres::{Config, NoTls};

use crate::Failure;

/// The pause between attempts, the same as pg-ephemeral's first pauses.
const PAUSE: Duration = Duration::from_millis(1);
const LIMIT: Duration = Duration::from_secs(60);

/// The port and the password of a server of this bench. The password is only used for this short time on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) port: u16,
    pub(crate) password: String,
}

/// Returns a port that is free at the moment.
pub(crate) fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Runs `sql`, and tries again until the server answers or the time limit has passed.
pub(crate) async fn first_query(login: &Login, sql: &str) -> Result<(), Failure> {
    let mut config = Config::new();
    config.host("127.0.0.1").port(login.port).user("postgres").dbname("postgres").password(&login.password);
    let begin = Instant::now();
    loop {
        let error = match query(&config, sql).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if begin.elapsed() > LIMIT {
            return Err(format!("no answer within {LIMIT:?}: {error}").into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn query(config: &Config, sql: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(sql).await
}
