//! The floor without an engine: the time of `postgres` on a data folder that was copied before.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use crate::Failure;
use crate::command::{output, program};
use crate::probe::{Login, first_query, free_port};
use crate::stage::Stage;

pub(crate) struct HostFloor {
    programs: PathBuf,
    original: PathBuf,
    data: PathBuf,
    password: String,
    /// The user of the server if this program runs as root, because PostgreSQL refuses to run as root.
    user: Option<User>,
}

#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl HostFloor {
    pub(crate) async fn prepare(stage: &Stage) -> Result<Self, Failure> {
        let user = if rustix::process::geteuid().is_root() { Some(other_user().await?) } else { None };
        let folder = stage.folder().join("floor");
        std::fs::create_dir(&folder)?;
        let password_file = folder.join("password");
        std::fs::write(&password_file, &stage.id)?;
        if let Some(user) = user {
            std::os::unix::fs::chown(&folder, Some(user.uid), Some(user.gid))?;
        }
        let floor = Self {
            programs: stage.host_programs().await?,
            original: folder.join("original"),
            data: folder.join("data"),
            password: stage.id.clone(),
            user,
        };
        let mut initdb = floor.postgres("initdb");
        initdb.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        initdb.arg("--wal-segsize=1").arg("--pwfile").arg(password_file).arg("--pgdata").arg(&floor.original);
        output(initdb).await?;
        Ok(floor)
    }

    pub(crate) async fn once(&self) -> Result<Duration, Failure> {
        if self.data.exists() {
            std::fs::remove_dir_all(&self.data)?;
        }
        let mut copy = program("cp");
        copy.arg("-a").arg(&self.original).arg(&self.data);
        output(copy).await?;
        let login = Login { port: free_port()?, password: self.password.clone() };
        let mut postgres = self.postgres("postgres");
        postgres.arg("-D").arg(&self.data).stdout(Stdio::null()).stderr(Stdio::null());
        postgres.args(["--fsync=off", "--synchronous_commit=off", "--full_page_writes=off", "--shared_buffers=32MB"]);
        postgres.args(["--listen_addresses=127.0.0.1", "--unix_socket_directories="]);
        postgres.arg(format!("--port={}", login.port));
        let begin = Instant::now();
        let mut server = postgres.spawn()?;
        first_query(&login, "SELECT 1").await?;
        if let Some(pid) = server.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            kill_process(pid, Signal::QUIT)?;
        }
        server.wait().await?;
        Ok(begin.elapsed())
    }

    fn postgres(&self, name: &str) -> Command {
        let mut command = program(self.programs.join(name));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C")
            .current_dir("/");
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

/// Returns the user of servers if this program runs as root.
async fn other_user() -> Result<User, Failure> {
    let mut name = "postgres";
    if id(name, "-u").await.is_err() {
        name = "nobody";
    }
    Ok(User { uid: id(name, "-u").await?, gid: id(name, "-g").await? })
}

async fn id(user: &str, what: &str) -> Result<u32, Failure> {
    let mut id = program("id");
    id.args([what, user]);
    Ok(output(id).await?.parse()?)
}
