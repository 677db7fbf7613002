//! PostgreSQL's own client programs, such as psql and pg_restore, run where a server is: as processes of this machine, or
//! inside the server's container. What they are run for, this module does not know.

mod here;
mod programs;
mod shell;
mod socket;

pub(crate) use here::ProgramsHere;
pub use programs::ClientProgramError;
pub(crate) use programs::{ClientCommand, ClientPrograms, Keep, MirroredFile, Operand, PSQL_VARIABLES};
pub(crate) use shell::{ContainerShell, ShellSlot};
pub(crate) use socket::SocketLink;
