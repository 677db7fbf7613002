//! The reasons why a program can't be started in a container, and the errors of each engine for `run` and `exec`.

use super::operation::Operation;
use super::reply::Reply;
use super::speech::Speech;

/// The reason why a program can't be started in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotStarted<'a> {
    /// The program is in no folder of `PATH`.
    NotOnPath(&'a str),
    /// The path of the program does not exist.
    NoSuchFile(&'a str),
    /// The file of the program is not executable.
    NotExecutable(&'a str),
    /// The working folder does not exist.
    NoFolder(&'a str),
    /// The user does not exist.
    NoUser(&'a str),
}

impl NotStarted<'_> {
    fn text(self) -> String {
        match self {
            Self::NotOnPath(program) => format!("exec: {program:?}: executable file not found in $PATH"),
            Self::NoSuchFile(program) => format!("exec: {program:?}: stat {program}: no such file or directory"),
            Self::NotExecutable(program) => format!("exec: {program:?}: permission denied"),
            Self::NoFolder(folder) => {
                format!("chdir to cwd ({folder:?}) set in config.json failed: no such file or directory")
            }
            Self::NoUser(user) => format!("unable to find user {user}: no matching entries in passwd file"),
        }
    }

    fn is_missing(self) -> bool {
        matches!(self, Self::NotOnPath(_) | Self::NoSuchFile(_) | Self::NoFolder(_))
    }
}

impl Speech {
    /// Returns the reply of `run`. Both engines keep the container, and Docker prints its ID before the error.
    pub(super) fn run_not_started(self, id: &str, why: NotStarted<'_>) -> Reply {
        let text = why.text();
        let user = matches!(why, NotStarted::NoUser(_));
        let status = match (self, why.is_missing()) {
            (Self::Docker, _) if user => 125,
            (_, true) => 127,
            (_, false) => 126,
        };
        let docker = if user {
            text.clone()
        } else {
            format!(
                "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container \
                 process: {text}: unknown"
            )
        };
        let podman = if user {
            text
        } else {
            format!("runc: runc create failed: unable to start container process: {text}: {}", oci(why))
        };
        let mut reply = self.refusal(Operation::Run, (status, docker), (status, podman));
        if self == Self::Docker {
            reply.stdout = format!("{id}\n").into_bytes();
        }
        reply
    }

    /// Returns the reply of `exec`. Docker prints the error on standard output and always ends with status 126.
    pub(super) fn exec_not_started(self, why: NotStarted<'_>) -> Reply {
        let text = why.text();
        let user = matches!(why, NotStarted::NoUser(_));
        match self {
            Self::Docker if user => {
                Reply { status: 126, stdout: format!("{text}\r\n").into_bytes(), stderr: Vec::new() }
            }
            Self::Docker => {
                let text = format!(
                    "OCI runtime exec failed: exec failed: unable to start container process: {text}: unknown\r\n"
                );
                Reply { status: 126, stdout: text.into_bytes(), stderr: Vec::new() }
            }
            Self::Podman if user => Reply::failure(255, format!("Error: {text}\n")),
            Self::Podman => {
                let status = if why.is_missing() { 127 } else { 126 };
                let text =
                    format!("Error: runc: exec failed: unable to start container process: {text}: {}\n", oci(why));
                Reply::failure(status, text)
            }
        }
    }
}

/// Returns the text that Podman adds for an error of its OCI runtime.
fn oci(why: NotStarted<'_>) -> &'static str {
    if why.is_missing() {
        "OCI runtime attempted to invoke a command that was not found"
    } else {
        "OCI permission denied"
    }
}
