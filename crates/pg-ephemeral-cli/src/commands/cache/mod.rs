//! `cache …`: shows, fills, shares and empties the cache of seeds.

use ociman::Reference;
use pg_ephemeral_core::Definition;
use pg_ephemeral_core::cache::{self, CacheStatus, InUse, LayerState, PruneRules, Pulled};

use super::backends::chosen_backend;
use super::context::Context;
use crate::args::{Cache, Credentials, Format, Global, OneSnapshot, Prune};
use crate::output::{Failure, Progress, print_json, print_line, print_table, tell, without_control};
use crate::process::{Signals, until_signal};

mod views;

use views::{CredentialsView, InspectedView, PrunedView, PulledView, PushedView, ResetView, SslView};

/// Runs one of the commands. A signal interrupts the command, which then cleans up.
pub(crate) async fn run(
    global: &Global,
    command: &Cache,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let cache = Commands { context: &context, progress };
    until_signal(signals, cache.run(command)).await?
}

/// The values that all cache commands need.
struct Commands<'a> {
    context: &'a Context<'a>,
    progress: &'a Progress,
}

impl Commands<'_> {
    async fn run(&self, command: &Cache) -> Result<(), Failure> {
        match command {
            Cache::Status => self.status().await,
            Cache::Populate => Ok(self.definition()?.populate_cache().await?),
            Cache::Inspect { reference } => self.inspect(reference).await,
            Cache::Credentials(credentials) => self.credentials(credentials).await,
            Cache::Pull(one) => self.pull(one).await,
            Cache::Push(one) => self.push(one).await,
            Cache::Reset { force: false } => self.reset(InUse::Keep).await,
            Cache::Reset { force: true } => self.reset(InUse::RemoveWithServers).await,
            Cache::Prune(prune) => self.prune(prune).await,
        }
    }

    async fn status(&self) -> Result<(), Failure> {
        let status = self.definition()?.cache_status().await?;
        match self.context.global.format {
            Format::Json => print_json(&status),
            _ => print_status(&status),
        }
    }

    async fn inspect(&self, reference: &Reference) -> Result<(), Failure> {
        let backend = chosen_backend(self.context).await?;
        let inspected = cache::inspect(&backend, reference).await?;
        let view = InspectedView::from(&inspected);
        if self.context.global.format == Format::Json {
            return print_json(&view);
        }
        print_line(&format!("layer: {}", view.reference))?;
        print_line(&format!("id: {}", view.id))?;
        print_line(&format!("created: {}", view.created.as_deref().unwrap_or("unknown")))?;
        print_line(&format!("size: {}", indicatif::HumanBytes(view.size)))?;
        let of_label = |line: String| print_line(&without_control(line));
        of_label(format!("made by: pg-ephemeral {}", view.version))?;
        print_line(&format!("instance: {}", view.instance))?;
        print_line(&format!("base image: {}", view.base_image))?;
        of_label(format!("user: {}", view.superuser))?;
        of_label(format!("database: {}", view.database))?;
        print_ssl(view.ssl.as_ref())?;
        if view.seeds.is_empty() {
            return print_line("seeds: none");
        }
        print_line("seeds:")?;
        let rows = view.seeds.iter().map(|seed| {
            let hash = seed.hash.as_ref().map(ToString::to_string).unwrap_or_default();
            [seed.name.to_string(), seed.kind.to_string(), seed.description.clone(), hash]
        });
        print_table(["NAME", "TYPE", "DESCRIPTION", "HASH"], rows)
    }

    async fn credentials(&self, wanted: &Credentials) -> Result<(), Failure> {
        let credentials = self.definition()?.cache_credentials(wanted.seed_name.as_ref()).await?;
        let view = CredentialsView::from(&credentials);
        if self.context.global.format == Format::Json {
            return print_json(&view);
        }
        print_line(&format!("layer: {}", view.layer))?;
        print_line(&format!("user: {}", view.user))?;
        print_line(&format!("database: {}", view.database))?;
        print_line(&format!("password: {}", view.password))?;
        print_ssl(view.ssl.as_ref())
    }

    async fn pull(&self, one: &OneSnapshot) -> Result<(), Failure> {
        if let (Some(session), Some(name)) = (&one.session, &one.snapshot) {
            let pulled = Pulled::Layer(self.definition()?.pull_snapshot(session, name).await?);
            return self.show_pulled(&pulled);
        }
        let pulled = self.definition()?.pull_cache().await?;
        self.show_pulled(&pulled)
    }

    fn show_pulled(&self, pulled: &Pulled) -> Result<(), Failure> {
        match (self.context.global.format, pulled) {
            (Format::Json, pulled) => print_json(&PulledView::from(pulled)),
            (_, Pulled::Layer(layer)) => print_line(&format!("pulled {layer}")),
            (_, Pulled::AlreadyHere(layer)) => {
                tell(self.context.global, &format!("{layer} is here already"));
                Ok(())
            }
            (_, Pulled::Nothing) => {
                tell(self.context.global, "the registry has no layer of this configuration");
                Ok(())
            }
        }
    }

    async fn push(&self, one: &OneSnapshot) -> Result<(), Failure> {
        let pushed = match (&one.session, &one.snapshot) {
            (Some(session), Some(name)) => vec![self.definition()?.push_snapshot(session, name).await?],
            _ => self.definition()?.push_cache().await?,
        };
        match self.context.global.format {
            Format::Json => print_json(&PushedView { pushed: &pushed }),
            _ => print_each("pushed", &pushed),
        }
    }

    async fn reset(&self, in_use: InUse) -> Result<(), Failure> {
        let instance = self.context.instance_name()?;
        let backend = chosen_backend(self.context).await?;
        let reset = cache::reset(&self.context.folders, &backend, &instance, in_use).await?;
        match self.context.global.format {
            Format::Json => print_json(&ResetView::from(&reset))?,
            _ => {
                print_each("removed server", &reset.servers)?;
                print_each("removed", &reset.removed)?;
                if reset.removed.is_empty() && reset.in_use.is_empty() {
                    tell(self.context.global, "there was no layer");
                }
            }
        }
        if reset.in_use.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = reset.in_use.iter().map(ToString::to_string).collect();
        Err(Failure::message(
            format!("servers run on {}", names.join(", ")),
            "stop them (`pg-ephemeral list` shows them), or `cache reset --force` removes them with the layers",
        ))
    }

    async fn prune(&self, prune: &Prune) -> Result<(), Failure> {
        let rules = match (prune.older_than, prune.keep) {
            (None, None) => PruneRules::default(),
            (older_than, keep) => PruneRules { older_than, keep },
        };
        let backend = chosen_backend(self.context).await?;
        let pruned = cache::prune(&self.context.folders, &backend, rules).await?;
        if self.context.global.format == Format::Json {
            return print_json(&PrunedView::from(&pruned));
        }
        print_each("removed", &pruned.removed)?;
        if pruned.working_copies > 0 {
            print_line(&format!("removed {} working copies", pruned.working_copies))?;
        }
        for layer in &pruned.in_use {
            tell(self.context.global, &format!("a server runs on {layer}"));
        }
        if pruned.removed.is_empty() && pruned.working_copies == 0 {
            tell(self.context.global, "nothing was to be removed");
        }
        Ok(())
    }

    /// Returns the definition of the chosen instance. Commands that concern all instances do not call this.
    fn definition(&self) -> Result<Definition, Failure> {
        Ok(self.progress.watch(self.context.definition()?))
    }
}

fn print_status(status: &CacheStatus) -> Result<(), Failure> {
    let summary = &status.summary;
    print_line(&format!(
        "{} on {}: {} seeds, {} hit, {} miss, {} uncacheable",
        status.instance, status.base_image, summary.total, summary.hits, summary.misses, summary.uncacheable
    ))?;
    let (state, image) = match &status.base {
        LayerState::Here(image) => ("hit", image.to_string()),
        LayerState::Missing(image) => ("miss", image.to_string()),
        LayerState::Unknown => ("miss", String::new()),
    };
    let base = ["-".to_owned(), "base layer".to_owned(), state.to_owned(), image, String::new()];
    let seeds = status.seeds.iter().map(|seed| {
        let image = seed.cache_image.as_ref().map(ToString::to_string).unwrap_or_default();
        let reason = seed.reason.clone().unwrap_or_default();
        [seed.name.to_string(), seed.kind.to_string(), seed.status.to_string(), image, reason]
    });
    print_table(["SEED", "TYPE", "STATUS", "CACHE IMAGE", "REASON"], std::iter::once(base).chain(seeds))
}

fn print_ssl(ssl: Option<&SslView<'_>>) -> Result<(), Failure> {
    let Some(ssl) = ssl else { return Ok(()) };
    print_line(&format!("SSL host name: {}", ssl.hostname))?;
    match ssl.ca_cert_pem {
        Some(pem) => print_line(&format!("SSL certificate authority:\n{}", pem.trim_end())),
        None => print_line("SSL certificate authority: none, each server is given one of its own"),
    }
}

fn print_each(what: &str, items: &[impl std::fmt::Display]) -> Result<(), Failure> {
    items.iter().try_for_each(|item| print_line(&format!("{what} {item}")))
}
