//! The floor of an engine: the time of the fewest commands that start a server from a committed image, query it once
//! and remove it.

use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::Failure;
use crate::command::{output, program};
use crate::options::Backend;
use crate::probe::{Login, first_query, free_port};
use crate::stage::Stage;

/// The data folder. It is not in the image's volume, because a commit leaves volumes out.
const DATA: &str = "/var/lib/floor/data";

pub(crate) struct EngineFloor {
    backend: Backend,
    image: String,
    container: String,
    password: String,
    /// The volume of the official image. It is replaced by a tmpfs, because the engine would create a new volume each
    /// time.
    volume: Option<String>,
}

impl EngineFloor {
    /// Commits an image of a server with a known password.
    pub(crate) async fn prepare(stage: &Stage, backend: Backend) -> Result<Self, Failure> {
        let base = stage.base_image(backend).await?;
        let mut inspect = program(backend.name());
        inspect.args(["image", "inspect", "--format", "{{range $path, $_ := .Config.Volumes}}{{$path}}{{end}}", &base]);
        let volume = Some(output(inspect).await?).filter(|volume| !volume.is_empty());
        let floor = Self {
            backend,
            image: stage.floor_image(),
            container: stage.floor_container(),
            password: stage.id.clone(),
            volume,
        };
        let login = Login { port: free_port()?, password: floor.password.clone() };
        let mut run = floor.run(&login);
        run.args(["--env", "POSTGRES_PASSWORD", &base]).env("POSTGRES_PASSWORD", &login.password);
        output(run).await?;
        first_query(&login, "CHECKPOINT").await?;
        let mut commit = program(backend.name());
        commit.args(["commit", "--pause=true", &floor.container, &floor.image]);
        output(commit).await?;
        floor.remove().await?;
        Ok(floor)
    }

    pub(crate) async fn once(&self) -> Result<Duration, Failure> {
        let login = Login { port: free_port()?, password: self.password.clone() };
        let mut run = self.run(&login);
        run.args(["--user", "postgres", "--entrypoint", "postgres", &self.image]);
        run.args(["fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=*"].map(setting));
        let begin = Instant::now();
        output(run).await?;
        first_query(&login, "SELECT 1").await?;
        self.remove().await?;
        Ok(begin.elapsed())
    }

    fn run(&self, login: &Login) -> Command {
        let mut run = program(self.backend.name());
        run.args(["run", "--detach", "--pull", "never", "--name", &self.container]);
        run.args(["--env", &format!("PGDATA={DATA}"), "--publish", &format!("127.0.0.1:{}:5432", login.port)]);
        if let Some(volume) = &self.volume {
            run.args(["--mount", &format!("type=tmpfs,target={volume}")]);
        }
        run
    }

    async fn remove(&self) -> Result<(), Failure> {
        let mut remove = program(self.backend.name());
        remove.args(["rm", "--force", "--volumes"]);
        if self.backend == Backend::Podman {
            remove.args(["--time", "0"]);
        }
        remove.arg(&self.container);
        output(remove).await.map(drop)
    }
}

fn setting(text: &str) -> String {
    format!("--{text}")
}
