//! Plans a boot from a chain and the set of layers that exist: which image to boot from, which seeds to apply, and
//! after which of them to commit.

use std::collections::BTreeSet;

use super::{Chain, SeedHash};
use crate::model::SeedKind;

/// What has to be done to get a server with all seeds. A plan is a plain value that touches no backend.
///
/// To execute a plan, start a container from [`Plan::boot_from`], commit the base layer if [`Plan::commit_base`] is
/// set, and execute [`Plan::stages`] in order. After the last stage, or if there is none, a server must be running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The image that the first container is created from.
    pub boot_from: BootFrom,
    /// The key under which to commit the initialised cluster before any seed; `None` if the boot starts from a layer.
    pub commit_base: Option<SeedHash>,
    /// The seeds to apply, in order.
    pub steps: Vec<Step>,
}

/// The image that the first container is created from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootFrom {
    /// The base image. The cluster must be initialised first.
    BaseImage,
    /// The deepest layer that exists.
    Layer(SeedHash),
}

/// One seed to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The seed's index in the chain.
    pub seed: usize,
    /// Where the seed runs.
    pub place: Place,
    /// The key under which to commit the state after the seed; `None` if that state is not kept.
    pub commit_after: Option<SeedHash>,
}

/// Where a seed runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Against the running server.
    Server,
    /// In a container of the state before the seed, without PostgreSQL running. If a server runs, it is stopped cleanly
    /// first. The next step runs in a container of the state after the seed.
    Image,
}

/// Consecutive steps between which the server is neither started nor stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage<'a> {
    /// One or more steps, all against the same running server.
    Server(&'a [Step]),
    /// One step in a container without PostgreSQL.
    Image(&'a Step),
}

impl Plan {
    /// Returns the steps, grouped into as few stages as possible.
    pub fn stages(&self) -> impl Iterator<Item = Stage<'_>> {
        let runs = self.steps.chunk_by(|left, right| left.place == Place::Server && right.place == Place::Server);
        runs.map(|steps| match steps {
            [step] if step.place == Place::Image => Stage::Image(step),
            steps => Stage::Server(steps),
        })
    }

    /// Returns the keys of all layers that the plan commits, in order.
    pub fn commits(&self) -> impl Iterator<Item = &SeedHash> {
        self.commit_base.iter().chain(self.steps.iter().filter_map(|step| step.commit_after.as_ref()))
    }

    /// Returns `true` if the plan commits any layer. Executing it then requires the instance's build lock.
    #[must_use]
    pub fn builds(&self) -> bool {
        self.commits().next().is_some()
    }
}

/// Plans a boot: start from the deepest layer of the chain that is present and apply every seed after it.
///
/// ```
/// use std::collections::BTreeSet;
/// use pg_ephemeral_core::layer::{BootFrom, Chain, SeedHash, plan};
///
/// let base: SeedHash = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262".parse()?;
/// let chain = Chain::new(base.clone());
///
/// let cold = plan(&chain, &BTreeSet::new());
/// assert_eq!(cold.boot_from, BootFrom::BaseImage);
/// assert_eq!(cold.commit_base, Some(base.clone()));
///
/// let warm = plan(&chain, &BTreeSet::from([base.clone()]));
/// assert_eq!(warm.boot_from, BootFrom::Layer(base));
/// assert!(!warm.builds());
/// # Ok::<(), pg_ephemeral_core::layer::SeedHashError>(())
/// ```
#[must_use]
pub fn plan(chain: &Chain, present: &BTreeSet<SeedHash>) -> Plan {
    let deepest = chain.hashes().enumerate().filter(|(_, hash)| present.contains(hash)).last();
    let (boot_from, commit_base, first) = match deepest {
        Some((depth, hash)) => (BootFrom::Layer(hash.clone()), None, depth),
        None => (BootFrom::BaseImage, Some(chain.base().clone()), 0),
    };
    let remaining = chain.links().iter().enumerate().skip(first);
    let steps = remaining.map(|(seed, link)| Step {
        seed,
        place: match link.kind {
            SeedKind::ContainerScript => Place::Image,
            _ => Place::Server,
        },
        commit_after: link.layer().cloned(),
    });
    Plan { boot_from, commit_base, steps: steps.collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::chain::tests::chain;
    use super::*;

    /// The layers of a chain at these depths; depth 0 is the base layer.
    fn layers(chain: &Chain, depths: &[usize]) -> BTreeSet<SeedHash> {
        let all: Vec<_> = chain.hashes().cloned().collect();
        depths.iter().map(|&depth| all[depth].clone()).collect()
    }

    fn seeds(plan: &Plan) -> Vec<usize> {
        plan.steps.iter().map(|step| step.seed).collect()
    }

    #[test]
    fn without_layers_every_seed_runs_and_every_state_is_committed() {
        let chain = chain(&["a", "b"]);
        let plan = plan(&chain, &BTreeSet::new());
        assert_eq!(plan.boot_from, BootFrom::BaseImage);
        assert_eq!(seeds(&plan), [0, 1]);
        assert!(plan.commits().eq(chain.hashes()));
    }

    #[test]
    fn with_the_last_layer_nothing_is_left_to_do() {
        let chain = chain(&["a", "b"]);
        let plan = plan(&chain, &layers(&chain, &[0, 1, 2]));
        assert_eq!(plan.boot_from, BootFrom::Layer(chain.links()[1].hash.clone()));
        assert!(plan.steps.is_empty());
        assert!(!plan.builds());
    }

    #[test]
    fn the_deepest_layer_is_used_even_if_all_before_it_are_missing() {
        let chain = chain(&["a", "b", "c"]);
        let plan = plan(&chain, &layers(&chain, &[2]));
        assert_eq!(plan.boot_from, BootFrom::Layer(chain.links()[1].hash.clone()));
        assert_eq!(seeds(&plan), [2]);
        assert_eq!(plan.commit_base, None);
    }

    #[test]
    fn only_a_changed_seed_and_all_later_seeds_run_again() {
        let texts: Vec<String> = (0..16).map(|index| index.to_string()).collect();
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let present = chain(&texts).hashes().cloned().collect();
        texts[8] = "changed";
        let plan = plan(&chain(&texts), &present);
        assert_eq!(seeds(&plan), (8..16).collect::<Vec<_>>());
    }

    #[test]
    fn no_state_is_committed_from_an_uncacheable_seed_on() {
        let chain = chain(&["a", "b!", "c"]);
        let cold = plan(&chain, &BTreeSet::new());
        let committed: Vec<_> = cold.steps.iter().map(|step| step.commit_after.is_some()).collect();
        assert_eq!(committed, [true, false, false]);

        let warm = plan(&chain, &layers(&chain, &[0, 1]));
        assert_eq!(seeds(&warm), [1, 2]);
        assert!(!warm.builds());
    }

    #[test]
    fn a_layer_with_the_key_of_an_uncacheable_state_is_not_used() {
        let chain = chain(&["a!"]);
        let present = BTreeSet::from([chain.links()[0].hash.clone()]);
        assert_eq!(plan(&chain, &present).boot_from, BootFrom::BaseImage);
    }

    #[test]
    fn a_container_script_is_a_stage_of_its_own() {
        let chain = chain(&["a", "b", "%c", "%d", "e"]);
        let plan = plan(&chain, &BTreeSet::new());
        let [a, b, c, d, e] = &plan.steps[..] else { panic!("{plan:?}") };
        assert_eq!(c.place, Place::Image);
        let stages: Vec<_> = plan.stages().collect();
        let server = [a.clone(), b.clone()];
        let last = [e.clone()];
        assert_eq!(stages, [Stage::Server(&server), Stage::Image(c), Stage::Image(d), Stage::Server(&last)]);
    }

    proptest! {
        #[test]
        fn the_boot_layer_and_the_steps_together_cover_the_whole_chain(
            kinds in proptest::collection::vec(0..8_u8, 0..12),
            present in proptest::collection::vec(any::<bool>(), 13),
        ) {
            let texts: Vec<_> = kinds.iter().enumerate().map(|(index, kind)| match kind {
                0 => format!("{index}!"),
                1 => format!("{index}%"),
                _ => format!("{index}"),
            }).collect();
            let chain = chain(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            let hashes: Vec<_> = chain.hashes().cloned().collect();
            let set: BTreeSet<_> = hashes.iter().zip(&present).filter(|(_, present)| **present).map(|(hash, _)| hash.clone()).collect();
            let plan = plan(&chain, &set);

            let done = match &plan.boot_from {
                BootFrom::BaseImage => { prop_assert!(set.is_empty()); 0 }
                BootFrom::Layer(hash) => { prop_assert!(set.contains(hash)); hashes.iter().position(|known| known == hash).unwrap() }
            };
            prop_assert_eq!(seeds(&plan), (done..kinds.len()).collect::<Vec<_>>());
            prop_assert!(plan.commits().all(|hash| !set.contains(hash) && hashes.contains(hash)));
            prop_assert_eq!(plan.stages().map(|stage| match stage { Stage::Server(steps) => steps.len(), Stage::Image(_) => 1 }).sum::<usize>(), plan.steps.len());
            // Once every planned layer is committed, the same chain builds nothing.
            let after: BTreeSet<_> = set.iter().chain(plan.commits()).cloned().collect();
            prop_assert!(!super::plan(&chain, &after).builds());
        }
    }
}
