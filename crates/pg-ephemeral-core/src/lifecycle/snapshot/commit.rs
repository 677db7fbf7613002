//! Committing the files of a session's server while clients are connected to it.

use ociman::{CommitSpec, Kind};
use tokio_postgres::Client;

use super::take::Manner;
use crate::lifecycle::error::SnapshotError;
use crate::model::session::Name;
use crate::postgres::connect;
use crate::server::{ANY_UNLOGGED, STOP_LIMIT, Server, StartError};
use crate::state::Stopped;

/// The files that describe the running process. A server that finds the process of another server in its data folder
/// does not start, so a commit leaves them out.
const OF_THE_PROCESS: [&str; 3] = ["data/postmaster.pid", "data/postmaster.opts", "run"];

impl Server {
    /// Commits the server's files, including its password. Usually the server is only paused for the commit. A server
    /// that starts from such files recovers as after a crash, which empties UNLOGGED relations. So if there are
    /// UNLOGGED relations, the server is stopped for the commit and started again.
    pub(crate) async fn commit_as_it_is(
        &self,
        session: &Name,
        spec: CommitSpec,
        stopped: &Stopped,
    ) -> Result<Manner, SnapshotError> {
        let prepare = |source| SnapshotError::Prepare { session: session.clone(), source };
        let connected = connect::connect_for_set_up(self.connection()).await;
        let client = connected.map_err(|source| SnapshotError::Connect { session: session.clone(), source })?;
        let can_stand_still = self.backend() != Kind::Host || cfg!(target_os = "linux");
        if can_stand_still && !any_unlogged(&client).await.map_err(prepare)? {
            // After a checkpoint, the files contain all transactions committed so far, and recovery has little to do.
            client.batch_execute("CHECKPOINT").await.map_err(prepare)?;
            match self.commit_live(&spec).await {
                Err(ociman::CommandError::CanNotPause { .. }) => {}
                committed => {
                    committed.map_err(SnapshotError::Commit)?;
                    // An UNLOGGED relation that was created since the first check would be empty in the commit.
                    if !any_unlogged(&client).await.map_err(prepare)? {
                        return Ok(Manner::Live);
                    }
                    // The next commit would take the name of this image and leave it without one.
                    self.container().backend().remove_image(&spec.image).await.map_err(SnapshotError::Commit)?;
                }
            }
        }
        drop(client);
        if self.connection().tls.is_some() {
            return Err(SnapshotError::UnloggedWithTls { session: session.clone() });
        }
        let container = self.container();
        stopped.write().map_err(StartError::from)?;
        container.stop(STOP_LIMIT).await.map_err(SnapshotError::Commit)?;
        let committed = container.commit(&spec).await;
        let lost = |source| SnapshotError::Lost { session: session.clone(), source: Box::new(source) };
        container.start().await.map_err(|source| lost(StartError::Run(source)))?;
        self.wait_until_back().await.map(drop).map_err(lost)?;
        stopped.remove();
        committed.map_err(SnapshotError::Commit)?;
        Ok(Manner::Stopped)
    }

    async fn commit_live(&self, spec: &CommitSpec) -> Result<(), ociman::CommandError> {
        match self.container().backend().as_host() {
            Some(host) => host.commit_live(self.container().name(), spec, &OF_THE_PROCESS).await,
            None => self.container().commit(spec).await,
        }
    }
}

async fn any_unlogged(client: &Client) -> Result<bool, tokio_postgres::Error> {
    Ok(client.query_one(ANY_UNLOGGED, &[]).await?.get(0))
}
