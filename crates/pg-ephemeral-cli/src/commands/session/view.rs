//! Prints sessions, and messages about them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::snapshot::Manner;
use pg_ephemeral_core::{Folders, MadeWith, label};
use serde::Serialize;

use crate::args::{Format, Global};
use crate::commands::context::Context;
use crate::output::{Failure, print_json, print_line, tell};

/// The mark of a session that was started with another secret.
const OTHER_SECRET: &str = "other";

/// Returns which secret a session was started with: `own` or `other`.
pub(super) fn secret_of(session: &Session, folders: &Folders) -> Result<&'static str, Failure> {
    Ok(match session.made_with(folders).map_err(Failure::secret)? {
        MadeWith::ThisSecret => "own",
        MadeWith::AnotherSecret => OTHER_SECRET,
    })
}

/// Returns the name of a session for a table. A session of another secret is marked, because other commands refuse it.
pub(super) fn name_in_table(name: String, secret: &str) -> String {
    if secret == OTHER_SECRET { format!("{name} (of another secret)") } else { name }
}

/// A session, as `session list --format json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct ListedSession {
    /// The name of the session.
    name: String,
    /// The session's instance.
    instance: Option<String>,
    /// The backend that the session runs on.
    backend: &'static str,
    /// The base image.
    image: Option<String>,
    /// The age of the session in seconds.
    age: Option<u64>,
    /// The number of seconds until the session expires; `null` if it never does.
    expires_in: Option<u64>,
    /// The server's port on this machine.
    port: Option<u16>,
    /// The secret from which the session's password was derived: `own` or `other`.
    secret: &'static str,
}

impl ListedSession {
    pub(crate) fn of(session: &Session, folders: &Folders) -> Result<Self, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Both values are rounded down to whole seconds, so the remaining time counts from the next full second.
        let next = now.as_secs() + u64::from(now.subsec_nanos() > 0);
        let labels = &session.summary().labels;
        let text = |key| labels.get(&key).map(ToString::to_string);
        let seconds = |key| text(key).and_then(|text| text.parse::<u64>().ok());
        Ok(Self {
            name: session.name().to_string(),
            instance: text(label::INSTANCE_KEY),
            backend: session.container().backend().kind().as_str(),
            image: text(label::IMAGE_KEY),
            age: seconds(label::STARTED_KEY).map(|started| now.as_secs().saturating_sub(started)),
            expires_in: seconds(label::EXPIRES_KEY).map(|end| end.saturating_sub(next)),
            port: session.summary().ports.first().map(|port| port.published.port()),
            secret: secret_of(session, folders)?,
        })
    }

    /// Returns the session's row in the table of `session list`.
    pub(super) fn into_row(self) -> [String; 7] {
        [
            name_in_table(self.name, self.secret),
            self.instance.unwrap_or_default(),
            self.backend.to_owned(),
            self.image.unwrap_or_default(),
            self.age.map(shown).unwrap_or_default(),
            self.expires_in.map_or_else(|| "never".to_owned(), shown),
            self.port.map(|port| port.to_string()).unwrap_or_default(),
        ]
    }
}

fn shown(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

pub(super) fn show(context: &Context<'_>, session: &Session, line: &str) -> Result<(), Failure> {
    match context.global.format {
        Format::Json => print_json(&ListedSession::of(session, &context.folders)?),
        _ => print_line(line),
    }
}

pub(super) fn tell_of_stop(global: &Global, name: &Name, manner: Manner) {
    if manner == Manner::Stopped {
        let what = "was stopped for a moment to keep UNLOGGED tables; connections to it were cut";
        tell(global, &format!("the server of session {name} {what}"));
    }
}
