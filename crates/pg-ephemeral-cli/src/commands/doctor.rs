//! `doctor`: examines this machine and prints one line per finding.

use pg_ephemeral_core::Folders;
use pg_ephemeral_core::doctor::{Examination, Finding, Level};

use super::context::config_path;
use crate::args::{Format, Global};
use crate::output::{FAILED, Failure, print_json, print_line};

/// Returns the exit status: 1 if something necessary is missing, otherwise 0.
pub(crate) async fn run(global: &Global) -> Result<u8, Failure> {
    let examination = Examination::new(Folders::of_user()?).choice(global.backend);
    let examination = match config_path(global)? {
        Ok(path) => examination.config_file(path),
        Err(refused) => examination.refused_config_file(refused),
    };
    let report = examination.run().await;
    match global.format {
        Format::Json => print_json(&report)?,
        _ => report.findings.iter().try_for_each(|finding| print_line(&line(finding)))?,
    }
    Ok(if report.healthy { 0 } else { FAILED })
}

fn line(finding: &Finding) -> String {
    let level = match finding.level {
        Level::Ok => "ok",
        Level::Note => "note",
        Level::Warning => "warning",
        Level::Missing => "missing",
    };
    let advice = finding.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
    format!("{level}: {}: {}: {}{advice}", finding.area, finding.subject, finding.message)
}
