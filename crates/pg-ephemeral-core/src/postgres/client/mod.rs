//! Runs PostgreSQL's own client programs, such as psql and pg_restore, where the server is: as processes of this
//! machine, or inside the server's container. This module does not know what they are used for.

mod here;
mod programs;
mod shell;
mod socket;

pub(crate) use here::ProgramsHere;
pub use programs::ClientProgramError;
pub(crate) use programs::{ClientCommand, ClientPrograms, Keep, MirroredFile, Operand, PSQL_VARIABLES};
pub(crate) use shell::{ContainerShell, ShellSlot};
pub(crate) use socket::SocketLink;
