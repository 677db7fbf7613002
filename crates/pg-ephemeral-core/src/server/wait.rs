//! Waiting for the server of a session whose container was started again.

use std::time::Duration;

use tokio_postgres::Client;

use super::error::{LOG_LINES, StartError};
use super::running::Server;
use crate::config::DEFAULT_WAIT_AVAILABLE_TIMEOUT;
use crate::postgres::connect::{self, WaitEnd};
use crate::postgres::endpoint::ConnectionParameters;

/// How long a server may take to get ready before an engine command is run to watch its container for an early end.
pub(super) const WATCH_AFTER: Duration = Duration::from_millis(500);
/// How long a server may take until it accepts connections again.
const BACK_LIMIT: Duration = DEFAULT_WAIT_AVAILABLE_TIMEOUT;

impl Server {
    /// Waits until the server, which was started again, accepts connections. It has no TLS at this point.
    pub(crate) async fn wait_until_back(&self) -> Result<Client, StartError> {
        let parameters = ConnectionParameters { tls: None, ..self.connection().clone() };
        self.wait_with(&parameters).await
    }

    /// Waits until the server accepts connections with these parameters.
    pub(super) async fn wait_with(&self, parameters: &ConnectionParameters) -> Result<Client, StartError> {
        let death = async {
            tokio::time::sleep(WATCH_AFTER).await;
            self.container().wait().await
        };
        match connect::until_ready(parameters, BACK_LIMIT, death).await {
            Ok(client) => Ok(client),
            Err(WaitEnd::Died(Ok(_))) => Err(StartError::ended(self.container()).await),
            Err(WaitEnd::Died(Err(error))) => Err(StartError::Watch(error)),
            Err(WaitEnd::Refused(error)) => Err(StartError::Connect(error)),
            Err(WaitEnd::TimedOut(source)) => {
                let log = self.container().last_log_lines(LOG_LINES).await.unwrap_or_default();
                Err(StartError::TimedOut { limit: BACK_LIMIT, log, source })
            }
        }
    }
}
