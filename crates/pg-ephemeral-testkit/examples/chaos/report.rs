//! The results of all checks.

use std::process::ExitCode;

use crate::options::Backend;

#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failures: Vec<Failed>,
}

#[derive(Debug)]
struct Failed {
    backend: Backend,
    check: String,
    problems: Vec<String>,
}

impl Report {
    pub(crate) fn add(&mut self, backend: Backend, check: &str, problems: Vec<String>) {
        if problems.is_empty() {
            self.passed += 1;
        } else {
            self.failures.push(Failed { backend, check: check.to_owned(), problems });
        }
    }

    pub(crate) fn has_failed(&self, backend: Backend) -> bool {
        self.failures.iter().any(|failed| failed.backend == backend)
    }

    /// Prints all failures and a summary.
    pub(crate) fn conclude(self) -> ExitCode {
        for Failed { backend, check, problems } in &self.failures {
            println!("\nFAILED {backend}: {check}");
            for problem in problems {
                println!("  {}", problem.trim_end().replace('\n', "\n    "));
            }
        }
        println!("\n{} passed, {} failed", self.passed, self.failures.len());
        if self.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
