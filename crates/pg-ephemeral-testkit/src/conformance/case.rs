//! [`Case`]: one thing that a backend must do, and how it is run as a test.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::expect::{Outcome, Violation};
use super::stage::{Stage, Subject};

/// Far more than any case takes on any backend.
const LIMIT: Duration = Duration::from_secs(120);

type Steps = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// How a case came out.
pub type CaseOutcome = Result<(), Violation>;

/// One thing that a backend must do.
#[derive(Clone, Copy)]
pub struct Case {
    pub(super) name: &'static str,
    steps: fn(Arc<Stage>) -> Steps,
}

impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Case {
    pub(super) fn new(name: &'static str, steps: fn(Arc<Stage>) -> Steps) -> Self {
        Self { name, steps }
    }

    /// What the backend must do, as a sentence with `_` between its words.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Tries it, and removes what it made.
    ///
    /// # Errors
    /// The first [`Violation`].
    #[track_caller]
    pub fn run(&self, subject: &Subject) -> impl Future<Output = CaseOutcome> + Send {
        let location = std::panic::Location::caller();
        let stage = Arc::new(Stage::new(subject.clone()));
        let steps = (self.steps)(Arc::clone(&stage));
        let name = self.name;
        async move {
            let outcome = tokio::time::timeout(LIMIT, steps).await;
            let cleared = stage.clear().await;
            match outcome {
                Ok(outcome) => outcome.and(cleared),
                Err(_) => Err(Violation::Endless { location, what: name.to_owned(), seconds: LIMIT.as_secs() }),
            }
        }
    }
}
