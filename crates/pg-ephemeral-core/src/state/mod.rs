//! The files that this crate keeps on this machine between commands, and the background thread, which completes work
//! that must not be interrupted.

pub(crate) mod background;
pub(crate) mod folders;
pub(crate) mod handover;
pub(crate) mod lock;
pub(crate) mod record;
pub(crate) mod secret;

pub(crate) use folders::{Folders, FoldersError};
pub(crate) use handover::Stopped;
pub(crate) use lock::Lock;
pub(crate) use lock::LockError;
pub(crate) use record::RecordError;
pub(crate) use secret::{MachineSecret, MadeWith, SecretError};
