//! Finds what a command has left behind in its project and on the machine. This module knows where pg-ephemeral and the
//! host backend keep temporary data, and what they keep on purpose: images, slots, locks and secrets.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::folder::Project;
use crate::support::fail;

/// The time limit for leftovers to disappear, because a killed process takes a moment to end.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

impl Project {
    /// Returns the processes, containers, records, drafts and temporary files that exist now, each as a readable line.
    pub fn leftovers(&self) -> Vec<String> {
        let mut found = self.processes();
        let root = self.root().to_owned();
        let relative =
            |path: PathBuf| path.strip_prefix(&root).map(|path| path.display().to_string()).unwrap_or_default();
        let state = self.state();
        for folder in ["pg-ephemeral/servers", "ociman/containers"] {
            found.extend(entries(&state.join(folder)).into_iter().map(relative));
        }
        for folder in ["pg-ephemeral", "pg-ephemeral/bases", "ociman", "ociman/images"] {
            found.extend(entries(&state.join(folder)).into_iter().filter(|path| is_draft(path)).map(relative));
        }
        for image in entries(&state.join("ociman/slots")) {
            found.extend(entries(&image).into_iter().filter(|path| is_draft(path)).map(relative));
        }
        for path in entries(&self.temporary()).into_iter().chain(entries(&root.join("run"))) {
            // The folder for sockets itself is kept on purpose.
            let is_for_sockets =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pg-ephemeral-"));
            match is_for_sockets && path.is_dir() {
                true => found.extend(entries(&path).into_iter().map(relative)),
                false => found.push(relative(path)),
            }
        }
        found
    }

    /// Checks that nothing is left behind.
    ///
    /// # Panics
    /// Panics if something is still left behind after 5 s.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let begin = Instant::now();
        loop {
            let found = self.leftovers();
            if found.is_empty() {
                return;
            }
            if begin.elapsed() > SETTLE_LIMIT {
                fail(format!("this is left behind:\n{}\n--- in the project\n{}", found.join("\n"), self.listing()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns the processes whose arguments, environment or working folder refer to this project. Works on Linux only.
    pub fn processes(&self) -> Vec<String> {
        let root = self.root().as_os_str().as_bytes();
        let mut found = Vec::new();
        for process in entries(Path::new("/proc")) {
            let is_number = process.file_name().is_some_and(|name| name.as_bytes().iter().all(u8::is_ascii_digit));
            if !is_number || process.ends_with(std::process::id().to_string()) {
                continue;
            }
            let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            let folder = fs::read_link(process.join("cwd")).unwrap_or_default();
            let is_ours = contains(&arguments, root) || contains(&environment, root) || folder.starts_with(self.root());
            if is_ours && !arguments.is_empty() {
                let text = String::from_utf8_lossy(&arguments).replace('\0', " ");
                found.push(format!("process {}: {text}", process.display()));
            }
        }
        found
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

/// Returns `true` if the path is a draft: a file or folder that is being created or removed.
fn is_draft(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.contains(".draft") || (name.starts_with('.') && path.is_dir())
}
