//! A registry for a single test: Debian's `docker-registry` on a free port of the loopback address, with a temporary
//! folder.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Registry {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            folder.path().join("data").display()
        );
        let path = folder.path().join("config.yml");
        fs::write(&path, config).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("docker-registry is not installed: scripts/setup-engines installs it");
        let mut registry = Self { process, port, folder };
        let limit = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(registry.folder.path().join("log")).unwrap_or_default();
            let ended = registry.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < limit, "the registry does not answer ({ended:?}): {log}");
            std::thread::sleep(Duration::from_millis(5));
        }
        registry
    }

    /// The address, as image names begin with it.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns which of these texts occur in anything that was pushed: manifests, configurations, and files of layers.
    /// The search takes long.
    pub(crate) fn which_it_holds(&self, texts: &[&[u8]]) -> Vec<bool> {
        let mut blobs = Vec::new();
        collect(&self.folder.path().join("data"), &mut blobs);
        assert!(!blobs.is_empty(), "nothing was pushed");
        let mut found = vec![false; texts.len()];
        for blob in blobs {
            look_through_blob(&blob, texts, &mut found);
        }
        found
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn collect(folder: &Path, blobs: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, blobs);
        } else if path.ends_with("data") {
            blobs.push(path);
        }
    }
}

fn look_through_blob(path: &Path, texts: &[&[u8]], found: &mut [bool]) {
    let mut start = [0; 2];
    let is_gzip = File::open(path).unwrap().read_exact(&mut start).is_ok() && start == [0x1f, 0x8b];
    if !is_gzip {
        return look_through(File::open(path).unwrap(), texts, found);
    }
    let mut gzip =
        Command::new("gzip").arg("-dc").stdin(File::open(path).unwrap()).stdout(Stdio::piped()).spawn().unwrap();
    look_through(BufReader::new(gzip.stdout.take().unwrap()), texts, found);
    assert!(gzip.wait().unwrap().success(), "{} is broken", path.display());
}

/// Searches a stream of any length piece by piece. Each piece begins with the end of the previous one, so that a text
/// across the boundary is found.
fn look_through(mut stream: impl Read, texts: &[&[u8]], found: &mut [bool]) {
    let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    let mut piece = Vec::new();
    loop {
        let keep = piece.len().min(longest - 1);
        piece.drain(..piece.len() - keep);
        let read = stream.by_ref().take(1 << 20).read_to_end(&mut piece).unwrap();
        for (text, found) in texts.iter().zip(&mut *found) {
            *found = *found || memchr::memmem::find(&piece, text).is_some();
        }
        if read == 0 {
            return;
        }
    }
}
