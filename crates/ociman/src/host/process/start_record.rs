//! The record of one start of a container, in its file `process`. A line is written at each stage: before the process
//! is created, by the process itself before it executes the program, and when it has ended. So the process never runs
//! without a record. A newer start has a file of its own, so a late line of an earlier start can't get into it.

use std::path::{Component, Path};

use crate::command::ExitStatus;
use crate::process::{ProcessIdentity, Status, boot_id};

/// One start of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartRecord {
    /// The boot of the machine in which the start took place.
    pub(crate) boot: String,
    /// The process that started the container.
    pub(crate) starter: ProcessIdentity,
    /// The number of the descriptor by which the container's processes hold its root.
    pub(crate) descriptor: i32,
    /// The container's slot, relative to the folder of the slots; `None` if the root is in the container's own folder.
    pub(crate) slot: Option<String>,
    /// Whether the container had run before, so that its files differ from those of its image.
    pub(crate) is_again: bool,
    /// The container's process, once it exists.
    pub(crate) leader: Option<ProcessIdentity>,
    /// How the process ended, if its starter was alive to see it.
    pub(crate) exit: Option<ExitStatus>,
}

impl StartRecord {
    /// Creates the record of a start that the calling process is about to make.
    pub(crate) fn announce(descriptor: i32, slot: Option<String>, is_again: bool) -> Self {
        let boot = boot_id().to_owned();
        Self { boot, starter: ProcessIdentity::current(), descriptor, slot, is_again, leader: None, exit: None }
    }

    /// Returns `true` if the container has ever run.
    pub(crate) fn has_run(&self) -> bool {
        self.is_again || self.leader.is_some()
    }

    /// Returns `true` if the container's process is running.
    pub(crate) fn is_running(&self) -> bool {
        self.boot == boot_id() && self.leader.is_some_and(ProcessIdentity::is_alive)
    }

    /// Returns the line that announces the start.
    pub(crate) fn announcement(&self) -> String {
        let slot = self.slot.as_deref().unwrap_or(NO_SLOT);
        let again = if self.is_again { " again" } else { "" };
        format!("{} {} {} {} {slot}{again}\n", self.boot, self.starter.pid, self.starter.start, self.descriptor)
    }

    /// Parses as many lines as have been written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let mut fields = lines.next()?.trim_end().split(' ');
        let boot = fields.next()?.to_owned();
        let starter = ProcessIdentity { pid: fields.next()?.parse().ok()?, start: fields.next()?.parse().ok()? };
        let descriptor = fields.next()?.parse().ok()?;
        let slot = fields.next().filter(|slot| *slot != NO_SLOT && is_slot(slot)).map(str::to_owned);
        let is_again = fields.next() == Some("again");
        let leader = lines.next().and_then(|line| Status::parse(line.as_bytes())).map(Status::identity);
        let exit = lines.next().and_then(parse_exit);
        Some(Self { boot, starter, descriptor, slot, is_again, leader, exit })
    }
}

const NO_SLOT: &str = "-";

/// Returns `true` if a path leads from the folder of the slots to one of them, and nowhere else.
fn is_slot(path: &str) -> bool {
    let parts: Vec<Component<'_>> = Path::new(path).components().collect();
    matches!(parts[..], [Component::Normal(_), Component::Normal(_)])
}

/// Returns the line that records how the process ended.
pub(crate) fn exit_line(status: ExitStatus) -> String {
    match status {
        ExitStatus::Exited(code) => format!("exited {code}\n"),
        ExitStatus::Signaled(signal) => format!("signaled {signal}\n"),
    }
}

fn parse_exit(line: &str) -> Option<ExitStatus> {
    let (kind, number) = line.trim_end().split_once(' ')?;
    let number = number.parse().ok()?;
    match kind {
        "exited" => Some(ExitStatus::Exited(number)),
        "signaled" => Some(ExitStatus::Signaled(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (sh) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3\n";

    #[test]
    fn a_start_reads_back_at_each_of_its_stages() {
        for (slot, is_again) in [(None, false), (Some("image/1".to_owned()), false), (Some("image/1".to_owned()), true)]
        {
            let announced = StartRecord::announce(5, slot, is_again);
            let mut text = announced.announcement();
            assert_eq!(StartRecord::parse(&text), Some(announced.clone()));

            text.push_str(STAT);
            let leader = Some(ProcessIdentity { pid: 42, start: 98765 });
            let running = StartRecord { leader, ..announced.clone() };
            assert_eq!(StartRecord::parse(&text), Some(running.clone()));

            for status in [ExitStatus::Exited(3), ExitStatus::Signaled(9)] {
                let text = text.clone() + &exit_line(status);
                assert_eq!(StartRecord::parse(&text), Some(StartRecord { exit: Some(status), ..running.clone() }));
            }
        }
    }

    #[test]
    fn a_slot_in_another_folder_counts_as_none() {
        for path in ["../..", "image/../..", "/etc/passwd", "image", "image/1/root", "."] {
            let start = StartRecord::announce(5, Some(path.to_owned()), false);
            assert_eq!(StartRecord::parse(&start.announcement()).unwrap().slot, None, "{path}");
        }
    }

    #[test]
    fn an_incomplete_line_is_ignored() {
        let announced = StartRecord::announce(5, None, false);
        assert_eq!(StartRecord::parse(""), None);
        assert_eq!(StartRecord::parse(announced.announcement().trim_end()), None);
        let text = announced.announcement() + &STAT[..40];
        assert_eq!(StartRecord::parse(&text), Some(announced));
    }
}
