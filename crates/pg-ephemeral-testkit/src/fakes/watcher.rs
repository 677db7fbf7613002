//! [`Watcher`]: a process that removes the processes and files of a fake engine if the test is killed. It reads from a
//! pipe whose other end only the test has open. The end of the pipe means that the test has ended.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The script of the watcher. `$0` is the folder of the fake engine.
const SCRIPT: &str = r#"
read -r _
for container in "$0"/containers/*; do
    [ -e "$container/exit" ] && continue
    [ -e "$container/quit" ] && [ -e "$container/pid" ] && {
        pid=$(cat "$container/pid") attempt=0
        kill -s "$(cat "$container/quit")" "$pid"
        while [ $attempt -lt 100 ] && kill -s 0 "$pid"; do
            attempt=$((attempt + 1))
            sleep 0.05
        done
    }
    for pid in "$container"/pid "$container"/execs/*; do
        [ -e "$pid" ] && kill -s KILL -- "-$(cat "$pid")"
    done
done
rm -rf "$0"
"#;

/// The watcher of a fake engine. Dropping the value ends the watcher before it removes anything.
#[derive(Debug)]
pub(super) struct Watcher {
    child: Child,
}

impl Watcher {
    pub(super) fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new("sh");
        // A signal to the process group of the test must not end the watcher.
        command.args(["-c", SCRIPT]).arg(folder).current_dir("/").process_group(0);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { child })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Kill the watcher before its pipe is closed. It may already have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
