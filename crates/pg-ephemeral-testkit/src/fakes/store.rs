//! [`Store`]: the place where a fake engine keeps its state between commands. The state is in memory or, if the engine
//! is a program, in a file that only one command at a time can change.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::state::State;

#[derive(Debug, Clone)]
pub(crate) enum Store {
    Memory(Arc<Mutex<State>>),
    /// The folder with the file of the state.
    Folder(PathBuf),
}

const STATE: &str = "state.json";
const LOCK: &str = "lock";

impl Store {
    pub(crate) fn memory() -> Self {
        Self::Memory(Arc::default())
    }

    /// Reads and changes the state under a lock.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        match self {
            Self::Memory(state) => Ok(change(&mut state.lock().unwrap_or_else(PoisonError::into_inner))),
            Self::Folder(folder) => {
                let lock = File::create(folder.join(LOCK))?;
                lock.lock()?;
                let mut state = read(folder)?;
                let result = change(&mut state);
                write(folder, &state)?;
                Ok(result)
            }
        }
    }
}

fn read(folder: &Path) -> io::Result<State> {
    match std::fs::read(folder.join(STATE)) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(error),
    }
}

/// Writes the state to a new file that then replaces the old one, because a command may be killed at any moment.
fn write(folder: &Path, state: &State) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(state).map_err(io::Error::other)?;
    let new = folder.join("state.json.new");
    std::fs::write(&new, text)?;
    std::fs::rename(new, folder.join(STATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrent_changes_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = Store::Folder(folder.path().to_owned());
                    for _ in 0..10 {
                        store.update(|state| *state.calls.entry("run".to_owned()).or_default() += 1).unwrap();
                    }
                });
            }
        });
        let store = Store::Folder(folder.path().to_owned());
        assert_eq!(store.update(|state| state.calls["run"]).unwrap(), 40);
    }
}
