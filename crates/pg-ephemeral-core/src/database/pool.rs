//! The databases of one server: its template, the connections that make and drop copies, and spare copies that are made
//! in advance. The number of spares follows demand: each request that finds no spare raises it by one, and after some
//! time without requests all spares are dropped.
//!
//! The work runs on the background thread, because connections must outlive the runtime of a single test.

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
use super::template::{MAINTENANCE_DATABASE, Template};
use crate::postgres::connect::connect_for_set_up;
use crate::postgres::endpoint::ConnectionParameters;
use crate::state::background;

/// How long dropping a value may block.
pub(super) const DROP_LIMIT: Duration = Duration::from_secs(30);

/// How many copies are made at the same time. More would only compete for the same disk.
const CONNECTIONS: usize = 4;
/// The largest number of spare copies.
const MOST_SPARES: usize = 8;
/// How long spare copies are kept when none is requested.
const IDLE: Duration = Duration::from_secs(10);

/// Whether a server ends with this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerLifetime {
    /// The server ends with this process, and its databases end with the server.
    Owned,
    /// The server belongs to a session or another process, and outlives this process.
    Attached,
}

/// A handle to the databases of a server, shared by the [`Server`](crate::Server) and its
/// [`Database`](super::Database)s. When the last handle is dropped, the spare copies are dropped too.
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
    /// Notified whenever a spare copy was made or could not be made.
    made: Notify,
}

#[derive(Debug, Default)]
struct Pool {
    spares: Vec<String>,
    /// The number of spares that are being made.
    making: usize,
    /// The number of spares to have.
    wanted: usize,
    /// The number of databases that were requested so far.
    taken: usize,
    last_taken: Option<Instant>,
    is_watched: bool,
    is_closed: bool,
}

/// A connection for administering databases. It is returned to the pool when it is dropped.
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

    /// Drops the spare copies, as dropping the last handle does, but without blocking.
    pub(crate) async fn close(self) {
        if self.lifetime == ServerLifetime::Attached && !self.stop_making() {
            let inner = self.inner();
            // If this fails, another process drops the database later.
            if let Ok(cleared) = background::spawn(async move { inner.clear().await }) {
                let _ = cleared.await;
            }
        }
    }

    /// Stops all further work, because the server and all its databases are about to be removed.
    pub(crate) fn abandon(&self) {
        self.permits.close();
    }

    pub(super) fn inner(&self) -> Arc<Inner> {
        self.0.0.clone()
    }

    /// Returns a new database: a spare copy if there is one.
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
        // The first request orders no spare: there may never be a second one.
        if spare.is_none() && self.taken > 1 {
            self.wanted = (self.wanted + 1).min(MOST_SPARES);
        }
        spare
    }

    /// Returns how many more spares must be made now, and counts them as being made.
    fn order(&mut self) -> usize {
        if self.is_closed {
            return 0;
        }
        let missing = self.wanted.saturating_sub(self.spares.len() + self.making);
        self.making += missing;
        missing
    }

    /// Adds a spare that was made; `None` means that it could not be made. If the pool is closed, returns the spare
    /// instead.
    fn put(&mut self, made: Option<String>) -> Option<String> {
        self.making = self.making.saturating_sub(1);
        if self.is_closed {
            return made;
        }
        self.spares.extend(made);
        None
    }

    /// Removes and returns all spares if none has been requested for [`IDLE`].
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

    /// Makes a new database that belongs to this process.
    pub(crate) async fn make(&self) -> Result<String, DatabaseError> {
        let name = name::owned().map_err(DatabaseError::System)?;
        self.copy(&name).await?;
        Ok(name)
    }

    /// Makes a new database that belongs to no process. Until the database is complete, its name says that it belongs
    /// to this process, so that another process drops it if this command is killed.
    pub(crate) async fn create_named(&self, name: &str) -> Result<(), DatabaseError> {
        // Make the template first: while it is made, nobody may be connected to the seeded database.
        self.template().await?;
        admin::refuse_taken(&*self.admin().await?, name).await?;
        let owned = self.make().await?;
        let admin = self.admin().await?;
        let named = admin::forward(&admin, &owned, name).await;
        if named.is_err() {
            // Ignore this error, because the reason why the renaming failed is the more useful one.
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
        // Both names belong to this process, so another process drops what is left under them if this one is killed.
        let fresh = self.make().await?;
        let old = name::owned().map_err(DatabaseError::System)?;
        let admin = self.admin().await?;
        if let Err(error) = admin::swap(&admin, &found, &fresh, &old).await {
            // Ignore this error, because the reason why the swap failed is the more useful one.
            let _ = admin::discard(&admin, &fresh).await;
            return Err(error);
        }
        admin::discard(&admin, &old).await
    }

    /// Makes a copy. If the template has disappeared, for example because the server was restored from a snapshot,
    /// makes a new template and tries once more.
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
            // Ignore this error, because the reason why the copy is incomplete is the more useful one.
            let _ = admin::discard(&admin, name).await;
            return Err(DatabaseError::Create { name: name.to_owned(), source });
        }
        Ok(())
    }

    /// Returns the server's template. The first call finds or makes it, and drops databases that ended processes left
    /// behind.
    async fn template(&self) -> Result<Template, DatabaseError> {
        let mut template = self.template.lock().await;
        if let Some(template) = &*template {
            return Ok(template.clone());
        }
        let meeting = ConnectionParameters { database: MAINTENANCE_DATABASE.to_owned(), ..self.seeded.clone() };
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

    /// Makes the missing spares in the background.
    fn refill(self: &Arc<Self>) {
        let missing = self.pool().order();
        for _ in 0..missing {
            let inner = self.clone();
            tokio::spawn(async move {
                let made = inner.make().await.inspect_err(|error| tracing::debug!(%error, "no copy in advance"));
                let unwanted = inner.pool().put(made.ok());
                if let Some(name) = unwanted {
                    // If this fails, another process drops the database later.
                    let _ = inner.discard(&name).await;
                }
                inner.made.notify_waiters();
                inner.watch();
            });
        }
    }

    /// Starts a task that drops the spares once none has been requested for [`IDLE`], unless the task runs already.
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

    /// Stops making spares. Returns `true` if there are none and none is being made.
    fn stop_making(&self) -> bool {
        let mut pool = self.pool();
        pool.is_closed = true;
        pool.spares.is_empty() && pool.making == 0
    }

    /// Drops all spares, including those that are still being made.
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
        // Until there is a template, no connection to the seeded database may stay open: a database can't be copied
        // while somebody is connected to it.
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
    fn each_request_but_the_first_that_finds_no_spare_orders_one_more() {
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
    fn a_spare_that_could_not_be_made_is_ordered_again() {
        let mut pool = Pool { wanted: 1, ..Pool::default() };
        assert_eq!(pool.order(), 1);
        assert_eq!(pool.put(None), None);
        assert_eq!(pool.order(), 1);
    }

    #[test]
    fn spares_are_dropped_after_some_time_without_requests() {
        let mut pool = Pool { wanted: 2, spares: vec!["a".to_owned(), "b".to_owned()], ..Pool::default() };
        let now = Instant::now();
        pool.take(now);
        assert!(pool.idle(now + IDLE / 2).is_empty());
        assert_eq!(pool.idle(now + IDLE), ["a"]);
        assert_eq!(pool.order(), 0);
    }

    #[test]
    fn a_closed_pool_returns_a_spare_that_is_added() {
        let mut pool = Pool { wanted: 1, ..Pool::default() };
        assert_eq!(pool.order(), 1);
        pool.is_closed = true;
        assert_eq!(pool.put(Some("a".to_owned())).as_deref(), Some("a"));
        assert_eq!(pool.order(), 0);
    }
}
