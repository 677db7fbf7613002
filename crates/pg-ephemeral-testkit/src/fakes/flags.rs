//! Parses the arguments of an engine command: the flags of each operation, in the notations that both engines accept
//! (in any order, long or short, joined by `=` or not), and the engines' messages for unknown flags.

use super::operation::Operation;
use super::speech::Speech;

/// One flag of an operation.
struct Flag {
    long: &'static str,
    short: Option<char>,
    takes: Takes,
    /// The engine that has the flag, if only one does.
    only: Option<Speech>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
}

const fn switch(long: &'static str, short: Option<char>) -> Flag {
    Flag { long, short, takes: Takes::Nothing, only: None }
}

const fn value(long: &'static str, short: Option<char>) -> Flag {
    Flag { long, short, takes: Takes::Value, only: None }
}

const fn podman(flag: Flag) -> Flag {
    Flag { only: Some(Speech::Podman), ..flag }
}

const RUN: &[Flag] = &[
    switch("detach", Some('d')),
    switch("rm", None),
    switch("interactive", Some('i')),
    switch("tty", Some('t')),
    switch("init", None),
    value("log-driver", None),
    podman(value("userns", None)),
    value("pull", None),
    value("name", None),
    value("label", Some('l')),
    value("env", Some('e')),
    value("security-opt", None),
    value("mount", None),
    value("publish", Some('p')),
    value("network", None),
    value("workdir", Some('w')),
    value("user", Some('u')),
    value("stop-signal", None),
    value("shm-size", None),
    value("entrypoint", None),
];
const LIST: &[Flag] = &[
    switch("all", Some('a')),
    switch("no-trunc", None),
    switch("quiet", Some('q')),
    value("format", None),
    value("filter", Some('f')),
];
const INSPECT: &[Flag] = &[value("format", Some('f'))];
const IMAGES: &[Flag] = &[
    switch("all", Some('a')),
    switch("no-trunc", None),
    switch("quiet", Some('q')),
    value("format", None),
    value("filter", Some('f')),
];
const EXEC: &[Flag] = &[
    switch("interactive", Some('i')),
    switch("tty", Some('t')),
    value("env", Some('e')),
    value("workdir", Some('w')),
    value("user", Some('u')),
];
const COMMIT: &[Flag] = &[
    switch("pause", Some('p')),
    podman(switch("quiet", Some('q'))),
    podman(value("format", Some('f'))),
    value("change", Some('c')),
];
const REMOVE: &[Flag] = &[
    switch("force", Some('f')),
    switch("volumes", Some('v')),
    podman(switch("ignore", Some('i'))),
    podman(value("time", Some('t'))),
];
const STOP: &[Flag] = &[value("time", Some('t')), podman(switch("ignore", Some('i')))];
const LOGS: &[Flag] = &[value("tail", Some('n')), switch("timestamps", Some('t'))];
const REMOVE_IMAGE: &[Flag] = &[switch("force", Some('f')), switch("no-prune", None)];
const TRANSFER: &[Flag] = &[switch("quiet", Some('q')), podman(value("tls-verify", None)), value("platform", None)];

fn known(operation: Operation) -> &'static [Flag] {
    match operation {
        Operation::Version | Operation::Info | Operation::Inspect | Operation::InspectImages => INSPECT,
        Operation::Run => RUN,
        Operation::List => LIST,
        Operation::Images => IMAGES,
        Operation::Exec => EXEC,
        Operation::Commit => COMMIT,
        Operation::RemoveImage => REMOVE_IMAGE,
        Operation::Remove => REMOVE,
        Operation::Stop => STOP,
        Operation::Logs => LOGS,
        Operation::Pull | Operation::Push => TRANSFER,
        Operation::Tag | Operation::Rename | Operation::Start | Operation::Wait | Operation::Other => &[],
    }
}

/// The parsed arguments after the words of an operation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// The long names of the flags and their values. Flags without a value have an empty string.
    flags: Vec<(&'static str, String)>,
    /// The positional arguments, in order.
    pub(super) positional: Vec<String>,
}

impl Arguments {
    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|(name, value)| *name == flag && value != "false")
    }

    /// Returns the last value of a flag, which overrides earlier ones.
    pub(super) fn value(&self, flag: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(name, _)| *name == flag).map(|(_, value)| value.as_str())
    }

    pub(super) fn values<'a>(&'a self, flag: &'a str) -> impl Iterator<Item = &'a str> {
        self.flags.iter().filter(move |(name, _)| *name == flag).map(|(_, value)| value.as_str())
    }
}

/// The message for arguments that can't be parsed, as in the library that both engines use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadFlag(pub(super) String);

/// Separates flags from positional arguments. After the first positional argument of `run` and `exec` nothing is a
/// flag.
pub(super) fn parse(speech: Speech, operation: Operation, arguments: &[String]) -> Result<Arguments, BadFlag> {
    let flags: Vec<&Flag> =
        known(operation).iter().filter(|flag| flag.only.is_none_or(|only| only == speech)).collect();
    let rest_is_a_command = matches!(operation, Operation::Run | Operation::Exec);
    let mut parsed = Arguments::default();
    let mut left = arguments.iter();
    while let Some(argument) = left.next() {
        if argument == "--" {
            parsed.positional.extend(left.cloned());
            break;
        }
        if let Some(long) = argument.strip_prefix("--") {
            let (name, joined) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let flag = flags.iter().find(|flag| flag.long == name);
            let flag = flag.ok_or_else(|| BadFlag(format!("unknown flag: --{name}")))?;
            let value = match (flag.takes, joined) {
                (_, Some(value)) => value,
                (Takes::Nothing, None) => String::new(),
                (Takes::Value, None) => {
                    left.next().cloned().ok_or_else(|| BadFlag(format!("flag needs an argument: --{name}")))?
                }
            };
            parsed.flags.push((flag.long, value));
        } else if argument.len() > 1 && argument.starts_with('-') {
            let mut letters = argument[1..].chars();
            while let Some(letter) = letters.next() {
                let flag = flags.iter().find(|flag| flag.short == Some(letter));
                let flag = flag.ok_or_else(|| BadFlag(format!("unknown shorthand flag: '{letter}' in {argument}")))?;
                let value = match flag.takes {
                    Takes::Nothing => String::new(),
                    Takes::Value => {
                        let joined: String = letters.by_ref().collect();
                        let joined = joined.strip_prefix('=').map(str::to_owned).unwrap_or(joined);
                        let value = if joined.is_empty() { left.next().cloned() } else { Some(joined) };
                        value.ok_or_else(|| BadFlag(format!("flag needs an argument: '{letter}' in {argument}")))?
                    }
                };
                parsed.flags.push((flag.long, value));
            }
        } else {
            parsed.positional.push(argument.clone());
            if rest_is_a_command {
                parsed.positional.extend(left.cloned());
                break;
            }
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(speech: Speech, operation: Operation, argv: &[&str]) -> Result<Arguments, BadFlag> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        parse(speech, operation, &argv)
    }

    #[test]
    fn flags_are_read_in_every_notation() {
        let ways: [&[&str]; 4] = [
            &["--force", "--time", "0", "a"],
            &["a", "-f", "-t", "0"],
            &["-ft0", "a"],
            &["--force=true", "--time=0", "a"],
        ];
        for way in ways {
            let parsed = read(Speech::Podman, Operation::Remove, way).unwrap();
            assert!(parsed.has("force"), "{way:?}");
            assert_eq!(parsed.value("time"), Some("0"), "{way:?}");
            assert_eq!(parsed.positional, ["a"], "{way:?}");
        }
    }

    #[test]
    fn words_after_the_image_of_a_run_are_arguments_of_its_program() {
        let parsed =
            read(Speech::Docker, Operation::Run, &["--name", "a", "image", "--name", "b", "--", "-d"]).unwrap();
        assert_eq!(parsed.value("name"), Some("a"));
        assert_eq!(parsed.positional, ["image", "--name", "b", "--", "-d"]);
    }

    #[test]
    fn a_flag_of_the_other_engine_is_unknown() {
        let refused = read(Speech::Docker, Operation::Remove, &["--time", "0", "a"]);
        assert_eq!(refused, Err(BadFlag("unknown flag: --time".to_owned())));
    }

    #[test]
    fn a_flag_without_its_value_is_refused() {
        let refused = read(Speech::Docker, Operation::Run, &["--name"]);
        assert_eq!(refused, Err(BadFlag("flag needs an argument: --name".to_owned())));
    }
}
