//! [`Operation`]: the operation of an engine command, determined by its first words. Flags and engines don't matter
//! here.

use std::fmt;
use std::str::FromStr;

use ociman::command::CommandLine;

/// Defines [`Operation`] from one list of operations, their names in scenario files and their documentation.
macro_rules! operations {
    ($($operation:ident $name:literal $documentation:literal)*) => {
        /// The operation of an engine command.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation {
            $(#[doc = $documentation] $operation,)*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$operation),*];

            /// Returns the name of the operation in scenario files, such as `inspect-images`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$operation => $name,)*
                }
            }
        }
    };
}

operations! {
    Version "version" "`version`."
    Info "info" "`info`."
    Run "run" "`run`."
    List "list" "`ps`."
    Inspect "inspect" "`container inspect`."
    InspectImages "inspect-images" "`image inspect`."
    Images "images" "`images`."
    Exec "exec" "`exec`."
    Commit "commit" "`commit`."
    Tag "tag" "`tag`."
    RemoveImage "remove-image" "`image rm`."
    Remove "remove" "`rm`."
    Rename "rename" "`rename`."
    Stop "stop" "`stop`."
    Start "start" "`start`."
    Logs "logs" "`logs`."
    Wait "wait" "`wait`."
    Pull "pull" "`pull`."
    Push "push" "`push`."
    Other "other" "Anything else."
}

/// All spellings of each operation. Where two spellings match, the first one counts.
const SUBCOMMANDS: [(&[&str], Operation); 38] = [
    (&["version"], Operation::Version),
    (&["system", "info"], Operation::Info),
    (&["info"], Operation::Info),
    (&["container", "run"], Operation::Run),
    (&["run"], Operation::Run),
    (&["container", "ls"], Operation::List),
    (&["container", "ps"], Operation::List),
    (&["container", "list"], Operation::List),
    (&["ps"], Operation::List),
    (&["container", "inspect"], Operation::Inspect),
    (&["image", "inspect"], Operation::InspectImages),
    (&["image", "ls"], Operation::Images),
    (&["image", "list"], Operation::Images),
    (&["images"], Operation::Images),
    (&["container", "exec"], Operation::Exec),
    (&["exec"], Operation::Exec),
    (&["container", "commit"], Operation::Commit),
    (&["commit"], Operation::Commit),
    (&["image", "tag"], Operation::Tag),
    (&["tag"], Operation::Tag),
    (&["image", "rm"], Operation::RemoveImage),
    (&["rmi"], Operation::RemoveImage),
    (&["container", "rm"], Operation::Remove),
    (&["rm"], Operation::Remove),
    (&["container", "rename"], Operation::Rename),
    (&["rename"], Operation::Rename),
    (&["container", "stop"], Operation::Stop),
    (&["stop"], Operation::Stop),
    (&["container", "start"], Operation::Start),
    (&["start"], Operation::Start),
    (&["container", "logs"], Operation::Logs),
    (&["logs"], Operation::Logs),
    (&["container", "wait"], Operation::Wait),
    (&["wait"], Operation::Wait),
    (&["image", "pull"], Operation::Pull),
    (&["pull"], Operation::Pull),
    (&["image", "push"], Operation::Push),
    (&["push"], Operation::Push),
];

impl Operation {
    /// Returns the operation of a command line.
    pub fn of(line: &CommandLine) -> Self {
        let words: Vec<_> = line.arguments.iter().take(2).map(|word| word.to_string_lossy()).collect();
        Self::split(&words).0
    }

    /// Returns the operation that an engine's arguments name, and the number of arguments that name it.
    pub(crate) fn split<W: AsRef<str>>(arguments: &[W]) -> (Self, usize) {
        let begins_with = |words: &[&str]| {
            words.len() <= arguments.len() && words.iter().zip(arguments).all(|(word, given)| *word == given.as_ref())
        };
        match SUBCOMMANDS.iter().find(|(words, _)| begins_with(words)) {
            Some((words, operation)) => (*operation, words.len()),
            None => (Self::Other, 0),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The error for a text that names no [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an operation of an engine")]
pub struct UnknownOperation {
    /// The text.
    pub text: String,
}

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|operation| operation.as_str() == text);
        found.ok_or_else(|| UnknownOperation { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_of_a_command_determine_its_operation() {
        let of = |words: &[&str]| Operation::of(&CommandLine::new("docker").arguments(words.iter().copied()));
        assert_eq!(of(&["container", "inspect", "a"]), Operation::Inspect);
        assert_eq!(of(&["image", "inspect", "a"]), Operation::InspectImages);
        assert_eq!(of(&["run", "--detach"]), Operation::Run);
        assert_eq!(of(&["rm", "--force", "run"]), Operation::Remove);
        assert_eq!(of(&["network", "ls"]), Operation::Other);
        assert_eq!(of(&[]), Operation::Other);
    }

    #[test]
    fn every_operation_reads_back_from_its_name() {
        for operation in Operation::ALL {
            assert_eq!(operation.to_string().parse(), Ok(operation));
        }
    }
}
