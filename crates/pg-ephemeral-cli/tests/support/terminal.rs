//! A real terminal for a command of a project: a tmux server of its own, which ends when the value is dropped.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pg_ephemeral_testkit::Project;

/// A time limit that is ample for a server to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A terminal that runs one command. It stays open when the command has ended.
pub struct Terminal<'a> {
    project: &'a Project,
    socket: PathBuf,
}

impl<'a> Terminal<'a> {
    /// Runs a shell command in the project's working folder and environment, in a terminal of 200 columns. When the
    /// command has ended, the terminal shows its exit status as `[status N]`.
    #[track_caller]
    pub fn new(project: &'a Project, line: &str) -> Self {
        Self::with_columns(project, line, 200)
    }

    /// Runs a shell command as [`Terminal::new`] does, in a terminal of another width.
    #[track_caller]
    pub fn with_columns(project: &'a Project, line: &str, columns: u32) -> Self {
        // Each terminal has its own number, because the server of an earlier one may still be running.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let terminal = Self { project, socket: project.root().join(format!("tmux{number}")) };
        // Ctrl-C must end only the command, not this shell.
        let script = format!("trap : INT QUIT; {line}; echo \"[status $?]\"; exec sleep 1000");
        let output =
            terminal.tmux(&["new-session", "-d", "-x", &columns.to_string(), "-y", "50", "/bin/sh", "-c", &script]);
        assert!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
        terminal
    }

    /// Types text, and then Enter.
    pub fn enter(&self, text: &str) {
        // tmux would take a semicolon at the end of an argument as its own separator.
        let escaped = text.strip_suffix(';').map(|text| format!("{text}\\;"));
        self.tmux(&["send-keys", "-l", escaped.as_deref().unwrap_or(text)]);
        self.key("Enter");
    }

    /// Types one key, such as `C-c`.
    pub fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Returns what the terminal shows, without spaces at the ends of lines.
    pub fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-S", "-"]);
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Waits until `holds` accepts the screen, and returns the screen. `what` describes it in the failure message.
    #[track_caller]
    pub fn wait_for(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return screen;
            }
            assert!(begin.elapsed() < LIMIT, "the terminal never shows {what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the last line ends with this text, and returns the screen.
    #[track_caller]
    pub fn wait_for_prompt(&self, prompt: &str) -> String {
        self.wait_for(&format!("the prompt {prompt:?}"), |screen| screen.ends_with(prompt.trim_end()))
    }

    /// Starts a query in psql, waits until the server runs it, and cancels it with one Ctrl-C.
    #[track_caller]
    pub fn cancel_a_query(&self, prompt: &str) {
        self.enter("do $$ begin raise notice 'b%n', 'egu'; perform pg_sleep(1000); end $$;");
        self.wait_for("the query's beginning", |screen| screen.contains("NOTICE:  begun"));
        self.key("C-c");
        self.wait_for("the query's end", |screen| screen.contains("ERROR:  canceling statement due to user request"));
        self.wait_for_prompt(prompt);
    }

    /// Waits until the command has ended, checks its exit status, and returns the screen.
    #[track_caller]
    pub fn wait_for_status(&self, status: i32) -> String {
        let screen = self.wait_for("an end", |screen| screen.contains("[status "));
        assert!(screen.contains(&format!("[status {status}]")), "expected status {status}:\n{screen}");
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(["-f", "/dev/null"]).args(arguments);
        command.env_clear().envs(self.project.environment()).env("TERM", "xterm").current_dir(self.project.folder());
        command.output().expect("tmux is installed")
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
