//! [`Case`]: one requirement on a backend, and how it is run as a test.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::expect::{Outcome, Violation};
use super::stage::{Stage, Subject};

/// The time limit of a case, far more than any case takes on any backend.
const LIMIT: Duration = Duration::from_secs(120);

type Steps = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The result of a case.
pub type CaseOutcome = Result<(), Violation>;

/// One requirement on a backend.
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

    /// Returns the name of the case: the requirement as a sentence with `_` between its words.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case on a backend, and removes the containers and images that it made.
    ///
    /// # Errors
    /// Returns the first [`Violation`].
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
                Err(_) => Err(Violation::TimedOut { location, what: name.to_owned(), seconds: LIMIT.as_secs() }),
            }
        }
    }
}
