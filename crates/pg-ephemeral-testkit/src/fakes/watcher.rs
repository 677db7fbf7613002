//! [`Watcher`]: a process that outlives the test by a moment, so that nothing of a fake engine is left when the test is
//! killed. It reads from a pipe that only the test holds; when that ends, the test has.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// `$0` is the folder of the fake engine. A container that has ended has nothing to kill.
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

/// Ends with its value, without having done anything.
#[derive(Debug)]
pub(super) struct Watcher {
    child: Child,
}

impl Watcher {
    pub(super) fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new("sh");
        // What ends the test by a signal to its group must not end this.
        command.args(["-c", SCRIPT]).arg(folder).current_dir("/").process_group(0);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { child })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Before its pipe ends. It may have been killed by others.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
