//! A process that waits for the end of a run and then removes what that leaves. It must outlive the process that starts
//! it, and needs a program that is certain to be there: it is the same program once more, which sees by a variable of its
//! environment, before its own `main` begins, that it is to be the watcher and nothing else.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pg_ephemeral_core::Folders;
use pg_ephemeral_core::run::Run;
use serde::{Deserialize, Serialize};

/// What a watcher is told by: JSON of [`Watch`]. For this crate's own use.
const VARIABLE: &str = "PG_EPHEMERAL_WATCH_RUN";

#[derive(Debug, Serialize, Deserialize)]
struct Watch {
    run: Run,
    state_home: PathBuf,
}

/// Starts the watcher of a run. It has a process group of its own, so that it outlives what ends this one.
pub(super) fn start(run: &Run, folders: &Folders) -> io::Result<()> {
    let watch = Watch { run: run.clone(), state_home: folders.state_home().to_owned() };
    let mut command = Command::new(program()?);
    command.arg0("pg-ephemeral-watcher").env(VARIABLE, serde_json::to_string(&watch)?).current_dir("/");
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut watcher = command.spawn()?;
    // It mostly outlives this process; when not, somebody has to take note of its end.
    std::thread::Builder::new().name("pg-ephemeral-watch".to_owned()).spawn(move || watcher.wait())?;
    Ok(())
}

/// The program of this process, also when its file has been replaced meanwhile.
fn program() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() { Ok(own.to_owned()) } else { std::env::current_exe() }
}

/// Called by the system before `main`, in every program that has this crate in it: in tests.
#[used]
#[allow(unsafe_code)]
// SAFETY: the section holds pointers to functions of this kind, which the C runtime calls once, on the main thread, after
// it has set itself up and before `main`. The function needs nothing that `main` or Rust's runtime would set up first.
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = watch_if_told;

extern "C" fn watch_if_told() {
    let Some(told) = std::env::var_os(VARIABLE) else { return };
    // This process is nothing else than the watcher. Nobody reads what it could say.
    let watch = serde_json::from_slice::<Watch>(told.as_encoded_bytes()).map_err(io::Error::from);
    let ended = watch.and_then(|watch| watch.run.remove_at_end(&Folders::at(watch.state_home)));
    std::process::exit(i32::from(ended.is_err()));
}
