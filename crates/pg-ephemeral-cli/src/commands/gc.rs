//! `gc`: removes what killed commands left behind.

use pg_ephemeral_core::reap::{LateStarts, Reaped, reap_labelled, reap_recorded};
use pg_ephemeral_core::snapshot;
use serde::Serialize;

use super::backends::working_backends;
use super::context::Context;
use crate::args::{Format, Global};
use crate::output::{Failure, print_json, print_line, tell};

/// Removes leftovers on the chosen backend, or on every backend that works if the choice is automatic.
pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut reaped = Vec::new();
    for backend in working_backends(&context).await? {
        reaped.extend(reap_recorded(&context.folders, &backend, LateStarts::Settle).await);
        reaped.extend(reap_labelled(&context.folders, &backend).await?);
        snapshot::sweep(&backend).await?;
        if let Some(host) = backend.as_host() {
            // Removes incomplete slots that killed processes left behind; complete slots are kept.
            host.prune_slots(|_| false).await?;
        }
    }
    match global.format {
        Format::Json => {
            let rows: Vec<_> = reaped.iter().map(removed).collect();
            print_json(&rows)
        }
        _ => {
            for one in &reaped {
                print_line(&format!("removed {} on {}", one.container, one.backend))?;
            }
            if reaped.is_empty() {
                tell(global, "nothing was left behind");
            }
            Ok(())
        }
    }
}

/// A removed leftover, as `gc --format json` shows it.
#[derive(Debug, Serialize)]
struct Removed<'a> {
    /// The backend that the leftover was on.
    backend: &'static str,
    /// The name of the container.
    container: &'a str,
}

fn removed(reaped: &Reaped) -> Removed<'_> {
    Removed { backend: reaped.backend.as_str(), container: &reaped.container }
}
