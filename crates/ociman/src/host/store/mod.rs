//! The content of the state folder: images, containers and slots, each in its own store.

pub(super) mod container_record;
pub(super) mod container_store;
pub(super) mod image;
pub(super) mod image_store;
pub(super) mod last_commit;
pub(super) mod log;
pub(super) mod slot;
mod slot_state;

use crate::error::HostError;
use crate::host::folder::StateFolder;
use container_store::ContainerStore;
use image_store::ImageStore;
use slot::{SlotLimits, SlotPool};

/// The three stores together, as every operation needs them.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    pub(crate) state: StateFolder,
    pub(crate) images: ImageStore,
    pub(crate) containers: ContainerStore,
    pub(crate) slots: SlotPool,
}

impl Stores {
    pub(crate) fn new(state: StateFolder, limits: SlotLimits) -> Self {
        Self {
            images: ImageStore::new(&state),
            containers: ContainerStore::new(&state),
            slots: SlotPool::new(&state, limits),
            state,
        }
    }

    /// Removes what killed calls left behind, except containers that have run.
    pub(crate) fn sweep(&self) -> Result<(), HostError> {
        self.state.sweep();
        self.containers.list()?;
        self.images.sweep()
    }
}
