//! The watcher: a process that waits for the end of a run and then removes the servers that the run has left.
//!
//! The watcher must outlive the process that starts it, and its program must be certain to exist. So the watcher is a
//! second process of the current program. Before its `main` begins, an environment variable tells the process that it
//! is the watcher.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pg_ephemeral_core::Folders;
use pg_ephemeral_core::run::Run;
use serde::{Deserialize, Serialize};

/// The environment variable that makes a process the watcher. Its value is a [`Watch`] as JSON.
const VARIABLE: &str = "PG_EPHEMERAL_WATCH_RUN";

#[derive(Debug, Serialize, Deserialize)]
struct Watch {
    run: Run,
    state_home: PathBuf,
}

/// Starts the watcher of a run. The watcher has its own process group, so signals to this process group don't reach it.
pub(super) fn start(run: &Run, folders: &Folders) -> io::Result<()> {
    let watch = Watch { run: run.clone(), state_home: folders.state_home().to_owned() };
    let mut command = Command::new(program()?);
    command.arg0("pg-ephemeral-watcher").env(VARIABLE, serde_json::to_string(&watch)?).current_dir("/");
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut watcher = command.spawn()?;
    // Usually the watcher outlives this process. If it does not, this thread reaps it.
    std::thread::Builder::new().name("pg-ephemeral-watch".to_owned()).spawn(move || watcher.wait())?;
    Ok(())
}

/// Returns the program of this process, even if its file has been replaced since the start.
fn program() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() { Ok(own.to_owned()) } else { std::env::current_exe() }
}

/// Makes the system call [`watch_if_told`] before `main` in every program that links this crate, that is, in tests.
#[used]
#[allow(unsafe_code)]
// SAFETY: the section holds pointers to functions of this kind, which the C runtime calls once, on the main thread,
// after it has set itself up and before `main`. The function needs nothing that `main` or Rust's runtime would set up
// first.
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = watch_if_told;

extern "C" fn watch_if_told() {
    let Some(told) = std::env::var_os(VARIABLE) else { return };
    // This process is only the watcher, and nothing reads its output.
    let watch = serde_json::from_slice::<Watch>(told.as_encoded_bytes()).map_err(io::Error::from);
    let ended = watch.and_then(|watch| watch.run.remove_at_end(&Folders::at(watch.state_home)));
    std::process::exit(i32::from(ended.is_err()));
}
