//! Layers: which states of an instance are worth keeping, what they are called, and which of them a boot starts from.
//!
//! A [`Chain`] is the list of states, each with its [`SeedHash`]. From a chain and the set of layers that exist,
//! [`plan`] computes what a boot has to do. Everything here is a plain value computed without IO: this module must not
//! read files, know backends or connections, or look into the bodies of seeds.

mod base;
mod chain;
mod parameters;
mod plan;

pub use crate::model::key::{FORMAT, SeedHash, SeedHashError};
pub use crate::model::layer_image::{image_reference, image_repository, layer_name, snapshot_name, snapshot_reference};
pub use base::{BaseIdentity, BaseInputs, base_hash};
pub(crate) use chain::NewLink;
pub use chain::{Chain, Link, LinkCache, UncacheableReason};
pub(crate) use parameters::preloads;
pub use plan::{BootFrom, Place, Plan, Stage, Step, plan};
