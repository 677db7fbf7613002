//! A database for each branch under review.
//!
//! It is started when the review starts, answers until the review is over, and can tell whether it still has the schema
//! and the data that the branch asks for now. Tests of the branch get a server of their own, which is gone with the test.
//!
//! ```no_run
//! use pg_ephemeral_core::{Definition, Folders, session_name};
//! use review_databases::Reviews;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let reviews = Reviews::open(Definition::new()?, Folders::of_user()?).await?;
//! reviews.begin(&session_name!("new-prices")).await?;
//! for review in reviews.all().await? {
//!     println!("{} on {}", review.name, review.image.as_deref().unwrap_or("an unknown image"));
//! }
//! let server = reviews.server(&session_name!("new-prices")).await?;
//! server.connect().await?.batch_execute("create table prices (cents int)").await?;
//! reviews.end(&session_name!("new-prices")).await?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::time::Duration;

use ociman::{Backend, Reference};
use pg_ephemeral_core::choose::ChooseError;
use pg_ephemeral_core::label::SeedEntry;
use pg_ephemeral_core::seed::LoadedSeeds;
use pg_ephemeral_core::session::{self, Divergence, Name, SeedStatus, Session};
use pg_ephemeral_core::{AttachError, Definition, Folders, LoadError, Server, StartError, label};

/// Nobody reviews for longer than this.
const LONGEST_REVIEW: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The databases of all reviews on one backend.
#[derive(Debug, Clone)]
pub struct Reviews {
    definition: Definition,
    folders: Folders,
    backend: Backend,
}

/// One review's database, as a listing tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// What the review is called.
    pub name: Name,
    /// The instance that it has, when its container tells.
    pub instance: Option<String>,
    /// The image that it runs, when its container tells.
    pub image: Option<String>,
}

/// Why something could not be done with reviews' databases.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// There is nothing that could run a database.
    #[error("find what runs databases")]
    Backend(#[source] ChooseError),
    /// The databases could not be listed.
    #[error("list the databases of reviews")]
    List(#[source] session::ListError),
    /// One could not be looked for.
    #[error("look for the database of {name}")]
    Find {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: session::FindError,
    },
    /// There is none for this review.
    #[error("{name} has no database; there are those of: {}", Names(known))]
    Unknown {
        /// The review.
        name: Name,
        /// The reviews that have one.
        known: Vec<Name>,
    },
    /// It could not be started.
    #[error("start the database of {name}")]
    Start {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: Box<StartError>,
    },
    /// It could not be attached to.
    #[error("attach to the database of {name}")]
    Attach {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: Box<AttachError>,
    },
    /// What it was seeded with could not be read.
    #[error("read what the database of {name} was seeded with")]
    Read {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: session::MetadataError,
    },
    /// What its branch asks for now could not be found out.
    #[error("find out what the database of {name} has to be seeded with")]
    Expect {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: Box<LoadError>,
    },
    /// It could not be removed.
    #[error("remove the database of {name}")]
    Stop {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: session::StopError,
    },
}

/// Names for a reader, `nobody` when there are none.
struct Names<'n>(&'n [Name]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => formatter.write_str("nobody"),
            names => formatter.write_str(&names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Whether a database has what its branch asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has.
    Current,
    /// It has to be started anew; this is what differs first.
    Outdated(Divergence),
}

/// Compares what a database was seeded with to what its branch asks for now. Nothing is asked of any backend.
#[must_use]
pub fn judge(stored_image: &Reference, stored_seeds: &[SeedEntry], wanted: &LoadedSeeds<'_>) -> Verdict {
    let status = session::compute_seed_status(stored_image, stored_seeds, wanted.image(), wanted);
    let divergence = session::divergence(stored_image, stored_seeds, wanted.image(), wanted);
    match (status, divergence) {
        (SeedStatus::Diverged, Some(divergence)) => Verdict::Outdated(divergence),
        _ => Verdict::Current,
    }
}

impl Reviews {
    /// The reviews on the backend that the definition finds. `folders` are those that it was made with.
    ///
    /// # Errors
    /// [`ReviewError::Backend`].
    pub async fn open(definition: Definition, folders: Folders) -> Result<Self, ReviewError> {
        let backend = definition.find_backend().await.map_err(ReviewError::Backend)?;
        Ok(Self { definition: definition.backend(backend.clone()), folders, backend })
    }

    /// All that have a database, by name.
    ///
    /// # Errors
    /// [`ReviewError::List`].
    pub async fn all(&self) -> Result<Vec<Review>, ReviewError> {
        let sessions = Session::list(&self.backend).await.map_err(ReviewError::List)?;
        Ok(sessions.iter().map(Review::of).collect())
    }

    /// Starts the database of a review.
    ///
    /// # Errors
    /// [`ReviewError::Start`], also when it has one already.
    pub async fn begin(&self, name: &Name) -> Result<Review, ReviewError> {
        let started = self.definition.start_session(name, Some(LONGEST_REVIEW)).await;
        let session = started.map_err(|source| ReviewError::Start { name: name.clone(), source: Box::new(source) })?;
        Ok(Review::of(&session))
    }

    /// The database of a review, to connect to. It goes on when the value is dropped.
    ///
    /// # Errors
    /// [`ReviewError::Unknown`] with the reviews that have one, [`ReviewError::Find`], [`ReviewError::Attach`].
    pub async fn server(&self, name: &Name) -> Result<Server, ReviewError> {
        let session = self.session(name).await?;
        let attached = Server::attach(&session, &self.folders);
        attached.map_err(|source| ReviewError::Attach { name: name.clone(), source: Box::new(source) })
    }

    /// Compares the database of a review to what its branch asks for now.
    ///
    /// # Errors
    /// [`ReviewError::Unknown`] with the reviews that have one, [`ReviewError::Find`], [`ReviewError::Read`],
    /// [`ReviewError::Expect`].
    pub async fn verdict(&self, name: &Name) -> Result<Verdict, ReviewError> {
        let metadata = self.session(name).await?.metadata().await;
        let metadata = metadata.map_err(|source| ReviewError::Read { name: name.clone(), source })?;
        let wanted = self.definition.load_seeds(&self.backend).await;
        let wanted = wanted.map_err(|source| ReviewError::Expect { name: name.clone(), source: Box::new(source) })?;
        Ok(judge(&metadata.image, &metadata.seeds, &wanted))
    }

    /// Removes the database of a review.
    ///
    /// # Errors
    /// [`ReviewError::Unknown`] with the reviews that have one, [`ReviewError::Find`], [`ReviewError::Stop`].
    pub async fn end(&self, name: &Name) -> Result<(), ReviewError> {
        let stopped = self.session(name).await?.stop().await;
        stopped.map_err(|source| ReviewError::Stop { name: name.clone(), source })
    }

    /// A server for one test, which knows nothing of any review and is gone when it is stopped or dropped.
    ///
    /// # Errors
    /// What a start can end with; nothing is left behind then.
    pub async fn server_for_tests(&self) -> Result<Server, StartError> {
        self.definition.start().await
    }

    async fn session(&self, name: &Name) -> Result<Session, ReviewError> {
        let found = Session::find(&self.backend, name).await;
        match found.map_err(|source| ReviewError::Find { name: name.clone(), source })? {
            Some(session) => Ok(session),
            None => {
                let known = self.all().await?.into_iter().map(|review| review.name).collect();
                Err(ReviewError::Unknown { name: name.clone(), known })
            }
        }
    }
}

impl Review {
    fn of(session: &Session) -> Self {
        let labels = &session.summary().labels;
        let text = |key| labels.get(&key).map(ToString::to_string);
        Self { name: session.name().clone(), instance: text(label::INSTANCE_KEY), image: text(label::IMAGE_KEY) }
    }
}
