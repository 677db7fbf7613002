//! The environment of the measurements: folders and instances that are removed at the end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::by_hand::ByHand;
use crate::shared::Failure;
use crate::shared::backend::Backend;
use crate::shared::command::{output, program};
use crate::sql_file::Form;

/// The interval at which the memory of a process is read.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) struct Stage {
    id: String,
    binary: PathBuf,
    base: TempDir,
}

/// The result of loading the file by a seed.
pub(crate) struct Seeded {
    pub(crate) time: Duration,
    /// The peak memory of pg-ephemeral, in bytes. It is known only on Linux.
    pub(crate) peak: Option<u64>,
}

impl Stage {
    pub(crate) fn set(binary: &Path, folder: &Path) -> Result<Self, Failure> {
        let id = format!("bench-seeds-{}", std::process::id());
        let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
        let base = tempfile::Builder::new().prefix("pgb").tempdir_in(folder.canonicalize()?)?;
        // Servers of another user need to read files below this folder.
        std::fs::set_permissions(base.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let stage = Self { id, binary, base };
        let mut instances = format!("[instances.{}]\n", stage.id);
        for form in Form::ALL {
            let (name, file) = (stage.instance(form), stage.file(form));
            let file = file.file_name().unwrap_or_default().to_string_lossy();
            instances += &format!("[instances.{name}.seeds]\nfile = {{ type = \"sql-file\", path = \"{file}\" }}\n");
        }
        std::fs::write(stage.base.path().join("database.toml"), instances)?;
        Ok(stage)
    }

    /// Returns the path of the SQL file in this form.
    pub(crate) fn file(&self, form: Form) -> PathBuf {
        self.base.path().join(match form {
            Form::Plain => "file.sql",
            Form::Gzip => "file.sql.gz",
        })
    }

    fn instance(&self, form: Form) -> String {
        format!("{}-{form}", self.id)
    }

    fn command(&self, backend: Backend, instance: &str) -> Command {
        let mut command = program(&self.binary);
        let folder = self.base.path();
        command.args(["--backend", backend.name(), "--instance", instance]);
        command.current_dir(folder).env_remove("OCIMAN_BACKEND").env("XDG_STATE_HOME", folder.join("state"));
        if backend == Backend::Host {
            // Only on the host backend: an engine may keep its images below the user's home folder.
            command.env("HOME", folder).env("XDG_CONFIG_HOME", folder.join("config"));
        }
        command
    }

    /// Loads the file by psql into a server without seeds.
    pub(crate) async fn by_hand(&self, backend: Backend, form: Form) -> Result<Duration, Failure> {
        let load = ByHand { backend, instance: self.id.clone(), form, file: self.file(form) };
        let mut command = self.command(backend, &self.id);
        command.args(["--quiet", "host", "run-env", "--"]).arg(std::env::current_exe()?).args(load.words()?);
        let printed = output(command).await?;
        self.remove_layers(backend, &self.id).await;
        Ok(Duration::from_secs_f64(printed.parse::<f64>()? / 1000.0))
    }

    /// Loads the file by a seed.
    pub(crate) async fn seed(&self, backend: Backend, form: Form) -> Result<Seeded, Failure> {
        let mut command = self.command(backend, &self.instance(form));
        command.args(["--timings", "cache", "populate"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn()?;
        let status = child.id().map(|pid| format!("/proc/{pid}/status"));
        let mut peak = None;
        let mut ending = std::pin::pin!(child.wait_with_output());
        let ended = loop {
            tokio::select! {
                ended = &mut ending => break ended?,
                () = tokio::time::sleep(LOOK_EVERY) => peak = peak.max(status.as_deref().and_then(peak_memory)),
            }
        };
        let printed = String::from_utf8_lossy(&ended.stderr);
        if !ended.status.success() {
            return Err(format!("cache populate: {}: {}", ended.status, printed.trim()).into());
        }
        self.remove_layers(backend, &self.instance(form)).await;
        let time =
            printed.lines().find_map(|line| line.split_once("timing: seed 1 of 1: file: ")?.1.strip_suffix(" ms"));
        let time: f64 = time.ok_or("cache populate told no time of the seed")?.parse()?;
        Ok(Seeded { time: Duration::from_secs_f64(time / 1000.0), peak })
    }

    /// Removes all layers, so that each measurement starts without a cache and the disk does not fill up.
    async fn remove_layers(&self, backend: Backend, instance: &str) {
        if backend == Backend::Host {
            // The folder may not exist.
            let _ = std::fs::remove_dir_all(self.base.path().join("state"));
            return;
        }
        // An image can only be removed after the images built from it, and a listing does not order images of the same
        // second. So try twice.
        for _ in 0..2 {
            for image in backend.images(instance).await.unwrap_or_default() {
                backend.remove_image(&image).await;
            }
        }
    }

    /// Removes the servers and images of this bench from the backends. The folder is removed when the stage is dropped.
    pub(crate) async fn clear(&self, backends: &[Backend]) {
        for &backend in backends {
            let mut collect = self.command(backend, &self.id);
            collect.arg("gc");
            let _ = output(collect).await;
            for instance in std::iter::once(self.id.clone()).chain(Form::ALL.map(|form| self.instance(form))) {
                self.remove_layers(backend, &instance).await;
            }
        }
    }
}

/// Returns the peak memory of a process, in bytes. `status` is the path of its `/proc/PID/status`.
fn peak_memory(status: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(kilobytes.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
