//! All that is known of one server's databases: its template, the connections that make and drop copies, and the copies
//! that were made in advance. As many are as are used: each time none is there one more is wanted, and when nobody has
//! wanted one for a while they are dropped.
//!
//! It runs on the background thread, because connections must outlive the runtime of a single test.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, SemaphorePermit};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::admin::{self, DatabaseInfo};
use super::error::DatabaseError;
use super::name;
use super::template::{MEETING, Template};
use crate::postgres::connect::connect_for_set_up;
use crate::postgres::endpoint::ConnectionParameters;
use crate::state::background;

/// How long dropping a value blocks at most.
pub(super) const DROP_LIMIT: Duration = Duration::from_secs(30);

/// How many copies are made at once. More only wait for the same disk.
const CONNECTIONS: usize = 4;
/// How many copies are made in advance at most.
const MOST_SPARES: usize = 8;
/// How long they are kept when nobody wants one.
const IDLE: Duration = Duration::from_secs(10);

/// Whether a server goes with this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerLifetime {
    /// It does, and its databases with it.
    Owned,
    /// It is a session's.
    Attached,
}

/// The databases of a server, for a [`Server`](crate::Server) and each [`Database`](super::Database) of it. When the last
/// one is gone, what was made in advance goes as well.
#[derive(Debug, Clone)]
pub(crate) struct Databases(Arc<Lease>);

#[derive(Debug)]
struct Lease(Arc<Inner>);

pub(crate) struct Inner {
    seeded: ConnectionParameters,
    lifetime: ServerLifetime,
    permits: Semaphore,
    idle: Mutex<Vec<Arc<Client>>>,
    template: AsyncMutex<Option<Template>>,
    pool: Mutex<Pool>,
    /// Told whenever a copy that is made in advance is there, or has failed.
    made: Notify,
}

#[derive(Debug, Default)]
struct Pool {
    spares: Vec<String>,
    /// How many are being made.
    making: usize,
    wanted: usize,
    taken: usize,
    last_taken: Option<Instant>,
    is_watched: bool,
    is_closed: bool,
}

/// A connection for work on databases, to be given back.
struct Admin<'a> {
    client: Arc<Client>,
    inner: &'a Inner,
    _permit: SemaphorePermit<'a>,
}

impl Databases {
    pub(crate) fn new(seeded: ConnectionParameters, lifetime: ServerLifetime) -> Self {
        Self(Arc::new(Lease(Arc::new(Inner {
            seeded,
            lifetime,
            permits: Semaphore::new(CONNECTIONS),
            idle: Mutex::default(),
            template: AsyncMutex::default(),
            pool: Mutex::default(),
            made: Notify::new(),
        }))))
    }

    /// Drops what was made in advance, as dropping the last value does, without blocking.
    pub(crate) async fn close(self) {
        if self.lifetime == ServerLifetime::Attached && !self.stop_making() {
            let inner = self.inner();
            // What stays is swept by another process.
            if let Ok(cleared) = background::spawn(async move { inner.clear().await }) {
                let _ = cleared.await;
            }
        }
    }

    /// Does no more work, since the server is about to go with all its databases.
    pub(crate) fn abandon(&self) {
        self.permits.close();
    }

    pub(super) fn inner(&self) -> Arc<Inner> {
        self.0.0.clone()
    }

    /// A new database, made in advance if there is one.
    pub(crate) async fn take(&self) -> Result<String, DatabaseError> {
        let inner = self.inner();
        let spare = inner.pool().take(Instant::now());
        let name = match spare {
            Some(name) => name,
            None => inner.make().await?,
        };
        inner.refill();
        Ok(name)
    }
}

impl Deref for Databases {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let inner = self.0.clone();
        if !self.0.stop_making() && self.0.lifetime == ServerLifetime::Attached {
            background::block_on(async move { inner.clear().await }, DROP_LIMIT);
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Databases").field("seeded", &self.seeded.database).finish_non_exhaustive()
    }
}

impl Pool {
    fn take(&mut self, now: Instant) -> Option<String> {
        self.taken += 1;
        self.last_taken = Some(now);
        let spare = self.spares.pop();
        // Who wants one may never want another.
        if spare.is_none() && self.taken > 1 {
            self.wanted = (self.wanted + 1).min(MOST_SPARES);
        }
        spare
    }

    /// How many more are to be made now. They count as being made from here on.
    fn order(&mut self) -> usize {
        if self.is_closed {
            return 0;
        }
        let missing = self.wanted.saturating_sub(self.spares.len() + self.making);
        self.making += missing;
        missing
    }

    /// Takes in one that was made; gives it back when nobody wants it any more.
    fn put(&mut self, made: Option<String>) -> Option<String> {
        self.making = self.making.saturating_sub(1);
        if self.is_closed {
            return made;
        }
        self.spares.extend(made);
        None
    }

    /// All that nobody has wanted for a while.
    fn idle(&mut self, now: Instant) -> Vec<String> {
        if self.last_taken.is_some_and(|taken| now.duration_since(taken) < IDLE) {
            return Vec::new();
        }
        self.wanted = 0;
        std::mem::take(&mut self.spares)
    }
}

impl Inner {
    pub(super) fn lifetime(&self) -> ServerLifetime {
        self.lifetime
    }

    /// A new database of this process.
    pub(crate) async fn make(&self) -> Result<String, DatabaseError> {
        let name = name::owned().map_err(DatabaseError::System)?;
        self.copy(&name).await?;
        Ok(name)
    }

    /// A new database that belongs to no process. Until it is complete it has a name of this process, so that what a cut-off
    /// command leaves is swept.
    pub(crate) async fn create_named(&self, name: &str) -> Result<(), DatabaseError> {
        // Before there is a template nobody may be connected.
        self.template().await?;
        admin::refuse_taken(&*self.admin().await?, name).await?;
        let owned = self.make().await?;
        let admin = self.admin().await?;
        let named = admin::hand_out(&admin, &owned, name).await;
        if named.is_err() {
            // Why it could not have the name is the better error.
            let _ = admin::discard(&admin, &owned).await;
        }
        named
    }

    pub(super) async fn mark(&self, name: &str) -> Result<(), DatabaseError> {
        admin::mark(&*self.admin().await?, name).await
    }

    pub(crate) async fn list(&self) -> Result<Vec<DatabaseInfo>, DatabaseError> {
        admin::list(&*self.admin().await?).await
    }

    pub(crate) async fn find(&self, name: &str) -> Result<DatabaseInfo, DatabaseError> {
        admin::find(&*self.admin().await?, name).await
    }

    pub(super) async fn discard(&self, name: &str) -> Result<(), DatabaseError> {
        admin::discard(&*self.admin().await?, name).await
    }

    pub(crate) async fn drop_ours(&self, name: &str) -> Result<(), DatabaseError> {
        let admin = self.admin().await?;
        admin::find(&admin, name).await?;
        admin::discard(&admin, name).await
    }

    pub(crate) async fn reset(&self, name: &str) -> Result<(), DatabaseError> {
        let found = admin::find(&*self.admin().await?, name).await?;
        // Both names are of this process: whatever is left under them is swept.
        let fresh = self.make().await?;
        let old = name::owned().map_err(DatabaseError::System)?;
        let admin = self.admin().await?;
        if let Err(error) = admin::swap(&admin, &found, &fresh, &old).await {
            // Why it is as it was is the better error.
            let _ = admin::discard(&admin, &fresh).await;
            return Err(error);
        }
        admin::discard(&admin, &old).await
    }

    /// Makes a copy, and once more when the template has gone, as when the server was put back to a snapshot.
    async fn copy(&self, name: &str) -> Result<(), DatabaseError> {
        match self.copy_once(name).await {
            Err(error) if error.is_of_a_template_that_is_gone() => {
                *self.template.lock().await = None;
                // Nobody may be connected to the seeded database while the template is made.
                self.idle().clear();
                self.copy_once(name).await
            }
            ended => ended,
        }
    }

    async fn copy_once(&self, name: &str) -> Result<(), DatabaseError> {
        let mut template = self.template().await?;
        let admin = self.admin().await?;
        loop {
            let made = match template.strategy.setting() {
                Some(setting) => admin.batch_execute(setting).await,
                None => Ok(()),
            };
            let made = match made {
                Ok(()) => admin.batch_execute(&template.copy(name)).await,
                error => error,
            };
            match made {
                Ok(()) => break,
                Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => {
                    return Err(DatabaseError::Exists { name: name.to_owned() });
                }
                Err(error) => match template.after(&error) {
                    Some(other) => {
                        *self.template.lock().await = Some(other.clone());
                        template = other;
                    }
                    None => return Err(DatabaseError::Create { name: name.to_owned(), source: error }),
                },
            }
        }
        let Some(completion) = template.completion(name) else { return Ok(()) };
        if let Err(source) = admin.batch_execute(&completion).await {
            // Why it is no use is the better error.
            let _ = admin::discard(&admin, name).await;
            return Err(DatabaseError::Create { name: name.to_owned(), source });
        }
        Ok(())
    }

    /// The server's template, which is found or made when it is wanted first. What dead processes left is dropped then.
    async fn template(&self) -> Result<Template, DatabaseError> {
        let mut template = self.template.lock().await;
        if let Some(template) = &*template {
            return Ok(template.clone());
        }
        let meeting = ConnectionParameters { database: MEETING.to_owned(), ..self.seeded.clone() };
        let client = connect_for_set_up(&meeting).await.map_err(DatabaseError::Connect)?;
        let found = Template::find_or_make(&client, &self.seeded.database).await?;
        admin::sweep(&client).await?;
        Ok(template.insert(found).clone())
    }

    async fn admin(&self) -> Result<Admin<'_>, DatabaseError> {
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|closed| DatabaseError::System(std::io::Error::other(closed)))?;
        let known = self.idle().pop().filter(|client| !client.is_closed());
        let client = match known {
            Some(client) => client,
            None => Arc::new(connect_for_set_up(&self.seeded).await.map_err(DatabaseError::Connect)?),
        };
        Ok(Admin { client, inner: self, _permit: permit })
    }

    /// Makes what is wanted in advance, in the background.
    fn refill(self: &Arc<Self>) {
        let missing = self.pool().order();
        for _ in 0..missing {
            let inner = self.clone();
            tokio::spawn(async move {
                let made = inner.make().await.inspect_err(|error| tracing::debug!(%error, "no copy in advance"));
                let unwanted = inner.pool().put(made.ok());
                if let Some(name) = unwanted {
                    // What stays is swept by another process.
                    let _ = inner.discard(&name).await;
                }
                inner.made.notify_waiters();
                inner.watch();
            });
        }
    }

    /// Drops what was made in advance once nobody has wanted one for a while.
    fn watch(self: &Arc<Self>) {
        if std::mem::replace(&mut self.pool().is_watched, true) {
            return;
        }
        let watched = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(IDLE).await;
                let Some(inner) = Weak::upgrade(&watched) else { return };
                let idle = inner.pool().idle(Instant::now());
                for name in &idle {
                    let _ = inner.discard(name).await;
                }
                let mut pool = inner.pool();
                if pool.is_closed || pool.spares.is_empty() && pool.making == 0 {
                    pool.is_watched = false;
                    return;
                }
            }
        });
    }

    /// Makes nothing in advance any more, and tells whether there is nothing of that kind.
    fn stop_making(&self) -> bool {
        let mut pool = self.pool();
        pool.is_closed = true;
        pool.spares.is_empty() && pool.making == 0
    }

    /// Drops what was made in advance, and what is just being made.
    async fn clear(&self) {
        loop {
            let made = self.made.notified();
            let (spares, making) = {
                let mut pool = self.pool();
                (std::mem::take(&mut pool.spares), pool.making)
            };
            for name in &spares {
                let _ = self.discard(name).await;
            }
            if making == 0 {
                return self.idle().clear();
            }
            made.await;
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Arc<Client>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Admin<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Admin<'_> {
    fn drop(&mut self) {
        // As long as there is no template, nobody may stay connected to the database that it will be a copy of.
        let has_template = self.inner.template.try_lock().is_ok_and(|template| template.is_some());
        if has_template && !self.client.is_closed() {
            self.inner.idle().push(self.client.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_asks_for_nothing_in_advance_and_each_that_has_to_wait_for_one_more() {
        let mut pool = Pool::default();
        assert_eq!((pool.take(Instant::now()), pool.order()), (None, 0));
        assert_eq!((pool.take(Instant::now()), pool.order()), (None, 1));
        assert_eq!((pool.take(Instant::now()), pool.order()), (None, 1));
        assert_eq!(pool.put(Some("a".to_owned())), None);
        assert_eq!(pool.order(), 0, "one is there and one is being made");
        assert_eq!(pool.take(Instant::now()).as_deref(), Some("a"));
        assert_eq!(pool.order(), 1, "the one that was taken");
        for _ in 0..100 {
            pool.take(Instant::now());
        }
        assert_eq!((pool.wanted, pool.order()), (MOST_SPARES, MOST_SPARES - 2));
    }

    #[test]
    fn one_that_could_not_be_made_is_ordered_again() {
        let mut pool = Pool { wanted: 1, ..Pool::default() };
        assert_eq!(pool.order(), 1);
        assert_eq!(pool.put(None), None);
        assert_eq!(pool.order(), 1);
    }

    #[test]
    fn what_nobody_wants_any_more_goes() {
        let mut pool = Pool { wanted: 2, spares: vec!["a".to_owned(), "b".to_owned()], ..Pool::default() };
        let now = Instant::now();
        pool.take(now);
        assert!(pool.idle(now + IDLE / 2).is_empty());
        assert_eq!(pool.idle(now + IDLE), ["a"]);
        assert_eq!(pool.order(), 0);
    }

    #[test]
    fn what_is_made_for_somebody_who_has_gone_is_given_back() {
        let mut pool = Pool { wanted: 1, ..Pool::default() };
        assert_eq!(pool.order(), 1);
        pool.is_closed = true;
        assert_eq!(pool.put(Some("a".to_owned())).as_deref(), Some("a"));
        assert_eq!(pool.order(), 0);
    }
}
