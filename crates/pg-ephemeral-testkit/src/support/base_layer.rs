//! Base layers that are built once for a whole run of this workspace's tests. Building one takes most of the time of a
//! test that starts without a cache, and few tests are about that.
//!
//! `scripts/test` builds the layers in a folder and passes its path in the environment. Without the variable, every
//! test starts without a cache, with the same results.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ociman::Kind;
use tempfile::TempDir;

use super::{fail, must};

/// The environment variable with the path of the folder with the base layers. The folder has a state folder `state`
/// with the base layer of the host backend, a file `docker` or `podman` with the reference of the engine's base layer,
/// and a folder `clusters` that every user can write to.
pub const BASE_LAYERS_VARIABLE: &str = "PG_EPHEMERAL_TEST_BASE_LAYERS";

/// The instance of the base layer on the host backend.
const INSTANCE: &str = "main";

/// Copies the base layer of the host backend to a state folder, for the given instance. Does nothing if there is none.
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

/// Creates a temporary state folder with the base layer of the host backend for the instance `main`.
#[track_caller]
pub fn state_with_base_layer() -> TempDir {
    let state = must(tempfile::tempdir(), "make a temporary folder");
    put_base_layer_on_host(INSTANCE, state.path());
    state
}

/// Tags the base layer of an engine for the given instance, and copies the secret that belongs to the layer to a state
/// folder. Does nothing if there is no such layer. The caller must remove the tagged layer.
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

/// Returns the folder in which fake engines keep new clusters, so that later containers can copy them.
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

/// Copies a file or folder with owners, modes and times.
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
