//! Databases for branches under review.
//!
//! Each review has a database that runs from the start of the review to its end. It can be compared with the schema and
//! the data that the branch currently needs. Tests of the branch get their own server, which is removed after the test.
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

/// The maximum duration of a review. Its database is removed afterwards.
const LONGEST_REVIEW: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The databases of all reviews on one backend.
#[derive(Debug, Clone)]
pub struct Reviews {
    definition: Definition,
    folders: Folders,
    backend: Backend,
}

/// The database of a review, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The name of the review.
    pub name: Name,
    /// The instance, if the container has a label for it.
    pub instance: Option<String>,
    /// The base image, if the container has a label for it.
    pub image: Option<String>,
}

/// An error of an operation on the databases of reviews.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// No backend works.
    #[error("find what runs databases")]
    Backend(#[source] ChooseError),
    /// The databases could not be listed.
    #[error("list the databases of reviews")]
    List(#[source] session::ListError),
    /// The search for a review's database failed.
    #[error("look for the database of {name}")]
    Find {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: session::FindError,
    },
    /// The review has no database.
    #[error("{name} has no database; there are those of: {}", Names(known))]
    Unknown {
        /// The review.
        name: Name,
        /// The reviews that have a database.
        known: Vec<Name>,
    },
    /// The database could not be started.
    #[error("start the database of {name}")]
    Start {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: Box<StartError>,
    },
    /// Attaching to the database failed.
    #[error("attach to the database of {name}")]
    Attach {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: Box<AttachError>,
    },
    /// The seeds in the database's labels could not be read.
    #[error("read what the database of {name} was seeded with")]
    Read {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: session::MetadataError,
    },
    /// The seeds that the branch currently needs could not be read.
    #[error("find out what the database of {name} has to be seeded with")]
    Expect {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: Box<LoadError>,
    },
    /// The database could not be removed.
    #[error("remove the database of {name}")]
    Stop {
        /// The review.
        name: Name,
        /// Why.
        #[source]
        source: session::StopError,
    },
}

/// Displays names as a list, or `nobody` if there are none.
struct Names<'n>(&'n [Name]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => formatter.write_str("nobody"),
            names => formatter.write_str(&names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Whether a database matches what its branch needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The database matches.
    Current,
    /// The database has to be started again, because of this first difference.
    Outdated(Divergence),
}

/// Compares the image and the seeds of a database with those that its branch currently needs. Uses no backend.
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
    /// Opens the reviews on the backend that the definition finds. `folders` must be those of the definition.
    ///
    /// # Errors
    /// Returns [`ReviewError::Backend`] if no backend works.
    pub async fn open(definition: Definition, folders: Folders) -> Result<Self, ReviewError> {
        let backend = definition.find_backend().await.map_err(ReviewError::Backend)?;
        Ok(Self { definition: definition.backend(backend.clone()), folders, backend })
    }

    /// Returns all reviews that have a database, sorted by name.
    ///
    /// # Errors
    /// Returns [`ReviewError::List`] if the databases can't be listed.
    pub async fn all(&self) -> Result<Vec<Review>, ReviewError> {
        let sessions = Session::list(&self.backend).await.map_err(ReviewError::List)?;
        Ok(sessions.iter().map(Review::of).collect())
    }

    /// Starts the database of a review.
    ///
    /// # Errors
    /// Returns [`ReviewError::Start`] if the start fails or the review has a database already.
    pub async fn begin(&self, name: &Name) -> Result<Review, ReviewError> {
        let started = self.definition.start_session(name, Some(LONGEST_REVIEW)).await;
        let session = started.map_err(|source| ReviewError::Start { name: name.clone(), source: Box::new(source) })?;
        Ok(Review::of(&session))
    }

    /// Returns the server of a review's database, for connections. The server keeps running when the value is dropped.
    ///
    /// # Errors
    /// Returns [`ReviewError::Unknown`] if the review has no database, and [`ReviewError::Find`] or
    /// [`ReviewError::Attach`] if finding it or attaching to it fails.
    pub async fn server(&self, name: &Name) -> Result<Server, ReviewError> {
        let session = self.session(name).await?;
        let attached = Server::attach(&session, &self.folders);
        attached.map_err(|source| ReviewError::Attach { name: name.clone(), source: Box::new(source) })
    }

    /// Compares the database of a review with what its branch currently needs.
    ///
    /// # Errors
    /// Returns [`ReviewError::Unknown`] if the review has no database, [`ReviewError::Find`] if finding it fails, and
    /// [`ReviewError::Read`] or [`ReviewError::Expect`] if its seeds or those of the branch can't be read.
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
    /// Returns [`ReviewError::Unknown`] if the review has no database, and [`ReviewError::Find`] or
    /// [`ReviewError::Stop`] if finding or removing it fails.
    pub async fn end(&self, name: &Name) -> Result<(), ReviewError> {
        let stopped = self.session(name).await?.stop().await;
        stopped.map_err(|source| ReviewError::Stop { name: name.clone(), source })
    }

    /// Starts a server for one test, independent of all reviews. It is removed when it is stopped or dropped.
    ///
    /// # Errors
    /// Returns an error if the start fails. Nothing is left behind in this case.
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
