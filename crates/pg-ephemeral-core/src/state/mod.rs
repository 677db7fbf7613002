//! What this crate keeps on this machine between commands, and the thread that finishes what a command has begun.

pub(crate) mod background;
pub(crate) mod folders;
pub(crate) mod handover;
pub(crate) mod lock;
pub(crate) mod record;
pub(crate) mod secret;
