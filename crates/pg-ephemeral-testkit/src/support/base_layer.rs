//! Base layers that are made once for a whole run of this workspace's tests: making one is most of the work of a test
//! that starts cold, and few tests are about that.
//!
//! `scripts/test` makes a state folder with them and names it in the environment. Without it every test starts cold,
//! and finds the same.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ociman::Kind;
use tempfile::TempDir;

use super::{fail, must};

/// Names the folder with the base layers: `state`, a state folder with the host backend's, a file `docker` or `podman` with
/// the reference of that engine's, and `clusters`, which anybody may write to.
pub const BASE_LAYERS_VARIABLE: &str = "PG_EPHEMERAL_TEST_BASE_LAYERS";

/// The instance whose base layer it is on the host backend.
const INSTANCE: &str = "main";

/// Gives an instance in a state folder the base layer of the host backend, when there is one.
#[track_caller]
pub fn put_base_layer_on_host(instance: &str, state: &Path) {
    let Some(from) = folder() else { return };
    share_secret(state);
    for part in ["images", "names"] {
        copy(&from.join("state/ociman").join(part), &state.join("ociman").join(part));
    }
    if instance != INSTANCE {
        let layers = state.join("ociman/names/docker.io/pg-ephemeral");
        must(fs::rename(layers.join(INSTANCE), layers.join(instance)), "give the base layer its instance");
    }
}

/// A temporary folder of state with that base layer for the instance `main`.
#[track_caller]
pub fn state_with_base_layer() -> TempDir {
    let state = must(tempfile::tempdir(), "make a temporary folder");
    put_base_layer_on_host(INSTANCE, state.path());
    state
}

/// Gives an instance the base layer of an engine's image, when there is one, and a state folder the secret with which
/// it was made. The layer is the caller's to remove.
#[track_caller]
pub fn put_base_layer_on_engine(engine: Kind, instance: &str, state: &Path) {
    let Some(from) = folder() else { return };
    let Ok(layer) = fs::read_to_string(from.join(engine.as_str())) else { return };
    let layer = layer.trim();
    share_secret(state);
    let Some((_, hash)) = layer.rsplit_once(':') else { fail(format!("no layer: {layer}")) };
    let domain = if engine == Kind::Podman { "localhost/" } else { "" };
    run(Command::new(engine.as_str()).args(["tag", layer, &format!("{domain}pg-ephemeral/{instance}:{hash}")]));
}

/// Where fake engines keep clusters that they made, for the next container that would make the same.
#[cfg(feature = "fakes")]
pub(crate) fn clusters() -> Option<PathBuf> {
    folder().map(|folder| folder.join("clusters")).filter(|clusters| clusters.is_dir())
}

fn folder() -> Option<PathBuf> {
    std::env::var_os(BASE_LAYERS_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

#[track_caller]
fn share_secret(state: &Path) {
    let Some(from) = folder() else { return };
    copy(&from.join("state/pg-ephemeral/secret"), &state.join("pg-ephemeral/secret"));
}

/// With owners, modes and times.
#[track_caller]
fn copy(from: &Path, to: &Path) {
    let parent = to.parent().unwrap_or(to);
    must(fs::DirBuilder::new().recursive(true).mode(0o700).create(parent), "make the folder of the base layers");
    run(Command::new("cp").args(["-a", "--"]).args([from, to]));
}

#[track_caller]
fn run(command: &mut Command) {
    let output = must(command.stdin(Stdio::null()).output(), "start a program");
    if !output.status.success() {
        fail(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
}
