//! Client programs inside a server's container. An engine takes about a tenth of a second to run a command in a
//! container, so one shell runs all programs, one after the other, until the container stops.

use std::path::{Path, PathBuf};

use ociman::command::{ExitStatus, Process};
use ociman::{Container, ExecSpec, Variable};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::here::operand_path;
use super::programs::{ClientCommand, ClientProgramError, Keep, MirroredFile, Operand, PSQL_VARIABLES, mirrored};
use crate::io::child::Lines;
use crate::io::content::Pieces;

/// The size of the blocks in which the shell reads input, in bytes.
const BLOCK: usize = 64 << 10;

/// The script of the shell. `$1` is the folder that mirrors paths of this machine. `$2` is the mark at the start of the
/// line that ends an answer.
///
/// A request is a line with a keyword, followed by lines with its parameters. Input follows in pieces. A line before
/// each piece contains the number of its whole blocks and the number of bytes after those; two zeros end the input. The
/// script uses `dd`, because it is the only tool in every image that reads an exact number of bytes. If a program reads
/// the input from a path, that path is a link to the program's descriptor 3. If a program ends before its input does,
/// the rest of the input is read and dropped.
///
/// The folder of the server's programs is first on `PATH`. On Debian, and so in the official image, `/usr/bin/psql` is
/// a Perl script that looks for a cluster of the machine, and takes three times as long as psql itself.
const SCRIPT: &str = r#"
mirror=$1 mark=$2
unset PGAPPNAME PGCLIENTENCODING PGDATESTYLE PGGEQO PGHOSTADDR PGOPTIONS PGPASSFILE PGPASSWORD PGREQUIREAUTH PGSERVICE \
    PGSERVICEFILE PGSSLMODE PGTARGETSESSIONATTRS PGTZ LC_ALL LANGUAGE
server=$(command -v postgres) && PATH=${server%/*}:$PATH
exec 3<&0 </dev/null
input() {
    while read -r blocks rest <&3; do
        [ "$blocks $rest" != '0 0' ] || return 0
        [ "$blocks" = 0 ] || dd bs=65536 count="$blocks" iflag=fullblock <&3 2>/dev/null || return
        [ "$rest" = 0 ] || dd bs="$rest" count=1 iflag=fullblock <&3 2>/dev/null || return
    done
    return 1
}
answer() {
    printf '\n%s %s\n' "$mark" "$1"
}
prepare() {
    mkdir -p "$mirror$folder" && cd "$mirror$folder" || return
    if [ -n "$link" ] && ! [ -e "$mirror$link" ]; then
        mkdir -p "$mirror${link%/*}" && ln -s /proc/self/fd/3 "$mirror$link"
    fi
}
while IFS= read -r request <&3; do
    case $request in
    file)
        IFS= read -r path <&3
        { mkdir -p "$mirror${path%/*}" && input >"$mirror$path"; } 2>&1
        answer "$?"
        ;;
    run)
        IFS= read -r folder <&3
        IFS= read -r link <&3
        IFS= read -r keep <&3
        read -r count <&3
        set --
        while [ "$#" -lt "$count" ]; do
            IFS= read -r word <&3
            set -- "$@" "$word"
        done
        input | {
            status=1
            if prepare 2>&1; then
                case $keep$link in
                errors) "$@" 2>&1 >/dev/null 3<&- ;;
                errors*) "$@" 2>&1 >/dev/null 3<&0 </dev/null ;;
                *) "$@" 2>&1 3<&- ;;
                esac
                status=$?
            fi
            answer "$status"
            exec cat >/dev/null
        }
        ;;
    clear)
        rm -rf "$mirror" 2>&1
        answer "$?"
        ;;
    esac
done
rm -rf "$mirror"
"#;

/// A container with its shell, which is opened when it is first needed.
#[derive(Debug)]
pub(crate) struct ShellSlot<'a> {
    /// The container.
    pub(crate) container: &'a Container,
    /// The user that programs run as in the container.
    pub(crate) user: &'static str,
    /// The environment variables for connecting to the server inside the container.
    pub(crate) environment: Vec<Variable>,
    /// The shell, once it is open.
    pub(crate) shell: &'a mut Option<ContainerShell>,
}

/// A shell in a container that runs client programs. Dropping the value ends the shell.
#[derive(Debug)]
pub(crate) struct ContainerShell {
    process: Process,
    /// The folder in the container that mirrors paths of this machine.
    mirror: PathBuf,
    mark: String,
    lines: Lines,
}

/// The result of a request.
struct Answer {
    status: i32,
    /// Whether the shell has received the whole input, and so can take another request.
    in_step: bool,
}

impl ShellSlot<'_> {
    pub(super) async fn run(
        &mut self,
        command: &ClientCommand<'_>,
        read: &mut (dyn FnMut(u64) + Send),
        take: &mut (dyn FnMut(&str) + Send),
    ) -> Result<ExitStatus, ClientProgramError> {
        let archive = match command.operand {
            Operand::File { content, path } => {
                Some(MirroredFile { path: command.folder.join(path), content: content.clone() })
            }
            _ => None,
        };
        for file in command.files.iter().chain(&archive) {
            self.put(command.program, file, read).await?;
        }
        let mut shell = self.shell(command.program).await?;
        let (head, input) = request(command, &shell.mirror)?;
        let mirror = shell.mirror.to_string_lossy().into_owned();
        let mut show = |line: &str| take(&line.replace(&mirror, ""));
        let answer = shell.ask(command, &head, input, read, &mut show).await?;
        // The program ran in a folder of the mirror and may have written files there, so the mirror is removed.
        if answer.in_step && shell.ask(command, "clear\n", None, &mut |_| {}, &mut |_| {}).await?.status == 0 {
            *self.shell = Some(shell);
        }
        Ok(ExitStatus::Exited(answer.status))
    }

    /// Takes the shell out of its slot, or opens one. The caller puts it back after use.
    async fn shell(&mut self, program: &str) -> Result<ContainerShell, ClientProgramError> {
        match self.shell.take() {
            Some(shell) => Ok(shell),
            None => ContainerShell::open(self.container, self.user, &self.environment)
                .await
                .map_err(|source| ClientProgramError::Container { program: program.to_owned(), source }),
        }
    }

    /// Copies a file of this machine into the container.
    async fn put(
        &mut self,
        program: &'static str,
        file: &MirroredFile,
        read: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), ClientProgramError> {
        let mut shell = self.shell(program).await?;
        let command = ClientCommand {
            program,
            arguments: Vec::new(),
            folder: Path::new("/"),
            operand: Operand::File { content: &file.content, path: &file.path },
            files: &[],
            keep: Keep::Everything,
        };
        let head = format!("file\n{}\n", line(&file.path)?);
        let mut message = String::new();
        let mut take = |text: &str| message.push_str(text);
        let answer = shell.ask(&command, &head, Some(file.content.pieces()), read, &mut take).await?;
        if answer.status != 0 || !answer.in_step {
            return Err(ClientProgramError::Mirror { path: file.path.clone(), message });
        }
        *self.shell = Some(shell);
        Ok(())
    }
}

impl ContainerShell {
    async fn open(container: &Container, user: &str, environment: &[Variable]) -> Result<Self, ociman::CommandError> {
        // The mark can't be guessed, so no output of a program looks like the end of an answer.
        let mark = crate::io::random::random_name().unwrap_or_else(|_| container.name().to_string());
        let mirror = PathBuf::from(format!("/tmp/pg-ephemeral-{mark}"));
        let mut spec = ExecSpec::new(["sh", "-c", SCRIPT, "sh", &mirror.to_string_lossy(), &mark]).user(user);
        let common = PSQL_VARIABLES.iter().chain(&[("LC_MESSAGES", "C")]);
        spec.environment.extend(common.map(|(name, value)| Variable::plain(*name, *value)));
        spec.environment.extend(environment.iter().cloned());
        let process = container.exec_streamed(&spec).await?;
        Ok(Self { process, mirror, mark, lines: Lines::default() })
    }

    /// Closes the shell's input and waits until the shell ends. This must be done before the container is used for
    /// something else.
    pub(crate) async fn close(mut self) {
        drop(self.process.stdin.take());
        // The exit status does not matter.
        let _ = self.process.exit.await;
    }

    async fn ask(
        &mut self,
        command: &ClientCommand<'_>,
        head: &str,
        input: Option<Pieces>,
        read: &mut (dyn FnMut(u64) + Send),
        take: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Answer, ClientProgramError> {
        let Some(mut stdin) = self.process.stdin.take() else { return Err(self.ended(command.program).await) };
        let (answered, sent) = {
            let mut sending = std::pin::pin!(send(&mut stdin, head, input, read));
            let mut answering = std::pin::pin!(self.answer(take));
            let mut sent = None;
            let answered = loop {
                tokio::select! {
                    result = &mut sending, if sent.is_none() => match result {
                        Err(SendError::Input(source)) => {
                            return Err(ClientProgramError::Read { path: operand_path(command.operand), source });
                        }
                        result => sent = Some(result.is_ok()),
                    },
                    answered = &mut answering => break answered,
                }
            };
            // If the program has failed, the rest of its input is not needed.
            if sent.is_none() && matches!(answered, Some(0)) {
                sent = Some(sending.await.is_ok());
            }
            (answered, sent == Some(true))
        };
        let Some(status) = answered else { return Err(self.ended(command.program).await) };
        self.process.stdin = Some(stdin);
        Ok(Answer { status, in_step: sent })
    }

    /// Reads an answer and returns its status; `None` if the shell has ended.
    async fn answer(&mut self, take: &mut (dyn FnMut(&str) + Send)) -> Option<i32> {
        let stdout = self.process.stdout.as_mut()?;
        let mut buffer = vec![0; 16 << 10];
        let mut status = None;
        // The empty line before the mark is not output of the program.
        let mut held_back = false;
        while status.is_none() {
            let length = stdout.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
            self.lines.take(&buffer[..length], |line| {
                if let Some(rest) = line.strip_prefix(self.mark.as_str()) {
                    status = rest.trim().parse().ok();
                    held_back = false;
                } else {
                    if std::mem::take(&mut held_back) {
                        take("");
                    }
                    match line.is_empty() {
                        true => held_back = true,
                        false => take(line),
                    }
                }
            });
        }
        status
    }

    /// Returns the error for a shell that has ended.
    async fn ended(&mut self, program: &str) -> ClientProgramError {
        let mut message = String::new();
        if let Some(stderr) = &mut self.process.stderr {
            // If reading fails, the error contains only what was read until then.
            let _ = stderr.read_to_string(&mut message).await;
        }
        ClientProgramError::ShellEnded { program: program.to_owned(), message }
    }
}

enum SendError {
    /// The input could not be read.
    Input(std::io::Error),
    /// The shell no longer reads its input.
    Shell,
}

async fn send(
    stdin: &mut (impl tokio::io::AsyncWrite + Unpin),
    head: &str,
    input: Option<Pieces>,
    read: &mut (dyn FnMut(u64) + Send),
) -> Result<(), SendError> {
    let gone = |_| SendError::Shell;
    stdin.write_all(head.as_bytes()).await.map_err(gone)?;
    if let Some(mut input) = input {
        while let Some(piece) = input.recv().await {
            let piece = piece.map_err(SendError::Input)?;
            let (blocks, rest) = (piece.bytes.len() / BLOCK, piece.bytes.len() % BLOCK);
            stdin.write_all(format!("{blocks} {rest}\n").as_bytes()).await.map_err(gone)?;
            stdin.write_all(&piece.bytes).await.map_err(gone)?;
            read(piece.read);
        }
        stdin.write_all(b"0 0\n").await.map_err(gone)?;
    }
    stdin.flush().await.map_err(gone)
}

/// Returns the request that runs a program, and the input that follows it.
fn request(command: &ClientCommand<'_>, mirror: &Path) -> Result<(String, Option<Pieces>), ClientProgramError> {
    let in_container = |path: &Path| match path.is_absolute() {
        true => line(&mirrored(mirror, path)),
        false => line(path),
    };
    let (link, last, input) = match command.operand {
        Operand::Stream { content, path: None } => (String::new(), "-".to_owned(), Some(content)),
        Operand::Stream { content, path: Some(path) } => {
            (line(&command.folder.join(path))?, in_container(path)?, Some(content))
        }
        Operand::File { path, .. } | Operand::Folder { path } => (String::new(), in_container(path)?, None),
    };
    let keep = match command.keep {
        Keep::Errors => "errors",
        Keep::Everything => "everything",
    };
    let words =
        [command.program].into_iter().chain(command.arguments.iter().map(String::as_str)).chain([last.as_str()]);
    let words: Vec<&str> = words.collect();
    if let Some(word) = words.iter().find(|word| word.contains('\n')) {
        return Err(ClientProgramError::Path { path: PathBuf::from(word) });
    }
    let head = format!("run\n{}\n{link}\n{keep}\n{}\n{}\n", line(command.folder)?, words.len(), words.join("\n"));
    // A program that reads files gets an empty input.
    let nothing = crate::io::content::Content::text("");
    Ok((head, Some(input.unwrap_or(&nothing).pieces())))
}

/// Formats a path as one line of a request.
fn line(path: &Path) -> Result<String, ClientProgramError> {
    let text = path.to_str().filter(|text| !text.contains('\n'));
    text.map(str::to_owned).ok_or_else(|| ClientProgramError::Path { path: path.to_owned() })
}
