//! The three stores of a state folder together, as every operation needs them.

use super::HostError;
use super::container_store::ContainerStore;
use super::folder::StateFolder;
use super::image_store::ImageStore;
use super::slot::{SlotLimits, SlotPool};

#[derive(Debug, Clone)]
pub(super) struct Stores {
    pub(super) state: StateFolder,
    pub(super) images: ImageStore,
    pub(super) containers: ContainerStore,
    pub(super) slots: SlotPool,
}

impl Stores {
    pub(super) fn new(state: StateFolder, limits: SlotLimits) -> Self {
        Self {
            images: ImageStore::new(&state),
            containers: ContainerStore::new(&state),
            slots: SlotPool::new(&state, limits),
            state,
        }
    }

    /// Removes what calls that were killed have left, containers that were theirs excepted.
    pub(super) fn sweep(&self) -> Result<(), HostError> {
        self.state.sweep();
        self.containers.list()?;
        self.images.sweep()
    }
}
