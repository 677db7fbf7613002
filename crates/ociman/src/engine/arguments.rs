//! Builds the arguments of those engine commands that need more than a subcommand and a name. Both engines take the
//! same arguments.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::command::{CommandLine, Stream};
use crate::label::Labels;
use crate::{
    Access, ContainerName, ExecSpec, Mount, Network, PublishedPort, RunSpec, Terminal, UserNamespace, Variable,
    VariableValue,
};

pub(super) fn run(mut line: CommandLine, spec: &RunSpec, image: &str) -> CommandLine {
    line = line.arguments(["--pull", "never", "--name", spec.name.as_str()]);
    for (key, value) in spec.labels.iter() {
        line = line.arguments(["--label".to_owned(), format!("{key}={value}")]);
    }
    line = environment(line, &spec.environment);
    let binds = spec.mounts.iter().any(|mount| matches!(mount, Mount::Bind { .. }));
    if binds {
        // SELinux would deny access to the caller's folders, and this crate must not relabel them.
        line = line.arguments(["--security-opt", "label=disable"]);
    }
    for mount in &spec.mounts {
        line = line.argument("--mount").argument(mount_option(mount));
    }
    for port in &spec.ports {
        line = line.arguments(["--publish".to_owned(), publish_option(port)]);
    }
    line = match spec.network {
        Network::Default => line,
        Network::None => line.arguments(["--network", "none"]),
        Network::Host => line.arguments(["--network", "host"]),
    };
    if let Some(folder) = &spec.folder {
        line = line.argument("--workdir").argument(folder);
    }
    if let Some(user) = &spec.user {
        line = line.arguments(["--user", user]);
    }
    if spec.user_namespace == UserNamespace::KeepId {
        line = line.arguments(["--userns", "keep-id"]);
    }
    if let Some(signal) = &spec.stop_signal {
        line = line.arguments(["--stop-signal", signal]);
    }
    if let Some(bytes) = spec.shared_memory {
        line = line.arguments(["--shm-size".to_owned(), bytes.to_string()]);
    }
    let entrypoint = spec.entrypoint.as_deref().unwrap_or_default();
    if let Some(program) = entrypoint.first() {
        line = line.arguments(["--entrypoint", program]);
    }
    line.argument(image).arguments(entrypoint.iter().skip(1)).arguments(&spec.arguments)
}

pub(super) fn exec(
    mut line: CommandLine,
    name: &ContainerName,
    spec: &ExecSpec,
    stdin: Stream,
    terminal: Terminal,
) -> CommandLine {
    if stdin != Stream::Null {
        line = line.argument("--interactive");
    }
    if terminal == Terminal::Yes {
        line = line.argument("--tty");
    }
    line = environment(line, &spec.environment);
    if let Some(folder) = &spec.folder {
        line = line.argument("--workdir").argument(folder);
    }
    if let Some(user) = &spec.user {
        line = line.arguments(["--user", user]);
    }
    line.argument(name.as_str()).arguments(&spec.command)
}

/// Builds the arguments of `commit`. `changes` are instructions in the Dockerfile format.
pub(super) fn commit(mut line: CommandLine, name: &ContainerName, changes: Vec<String>, image: &str) -> CommandLine {
    for change in changes {
        line = line.arguments(["--change".to_owned(), change]);
    }
    line.arguments([name.as_str(), image])
}

fn environment(mut line: CommandLine, variables: &[Variable]) -> CommandLine {
    for variable in variables {
        match &variable.value {
            VariableValue::Plain(value) => {
                line = line.arguments(["--env".to_owned(), format!("{}={value}", variable.name)]);
            }
            VariableValue::Secret(secret) => {
                line = line.arguments(["--env", &variable.name]);
                line.secrets.push((variable.name.clone(), secret.clone()));
            }
        }
    }
    line
}

/// Returns the value of `--mount`, which both engines read as one CSV record (RFC 4180).
fn mount_option(mount: &Mount) -> OsString {
    let fields = match mount {
        Mount::Bind { source, target, access } => {
            let mut fields = vec![b"type=bind".to_vec(), field("source", source), field("target", target)];
            if *access == Access::ReadOnly {
                fields.push(b"readonly".to_vec());
            }
            fields
        }
        Mount::Tmpfs { target } => vec![b"type=tmpfs".to_vec(), field("target", target)],
    };
    OsString::from_vec(fields.join(&b','))
}

fn field(name: &str, path: &Path) -> Vec<u8> {
    let path = path.as_os_str().as_bytes();
    let mut field = format!("{name}=").into_bytes();
    field.extend_from_slice(path);
    if !path.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        return field;
    }
    let mut quoted = vec![b'"'];
    for byte in field {
        if byte == b'"' {
            quoted.push(b'"');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

fn publish_option(port: &PublishedPort) -> String {
    let address = match port.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let published = port.port.map(|port| port.to_string()).unwrap_or_default();
    format!("{address}:{published}:{}/tcp", port.container)
}

/// Returns one `LABEL` instruction for each label, with the value as `quote` writes it, or `None` if `quote` can't
/// write a value.
pub(super) fn label_changes(labels: &Labels, quote: fn(&str) -> Option<String>) -> Option<Vec<String>> {
    labels.iter().map(|(key, value)| Some(format!("LABEL {key}={}", quote(value.as_str())?))).collect()
}

/// Returns a word of the Dockerfile format: in double quotes, with `\` before each `\`, `"` and `$`. Returns `None` for
/// a text with a line break: the format has no escape for it, and an instruction ends with its line.
pub(super) fn dockerfile_word(text: &str) -> Option<String> {
    (!text.contains('\n')).then(|| quoted(text))
}

/// Returns a word for Podman, which removes one double quote from each end and takes everything between as it is.
pub(super) fn bare_word(text: &str) -> Option<String> {
    Some(format!("\"{text}\""))
}

fn quoted(text: &str) -> String {
    let mut word = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$') {
            word.push('\\');
        }
        word.push(character);
    }
    word.push('"');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(line: &CommandLine) -> Vec<String> {
        line.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_value_of_a_secret_variable_is_only_in_the_environment() {
        let spec = RunSpec::new("a".parse().unwrap(), "b/c:1".parse().unwrap())
            .variable(Variable::secret("PGPASSWORD", crate::Secret::new("hunter2")));
        let line = run(CommandLine::new("docker"), &spec, "b/c:1");
        assert!(argv(&line).windows(2).any(|pair| pair == ["--env", "PGPASSWORD"]));
        assert!(!format!("{line} {line:?}").contains("hunter2"));
        assert_eq!(line.secrets[0].1.expose(), "hunter2");
    }

    #[test]
    fn only_the_first_word_of_an_entrypoint_goes_before_the_image() {
        let spec = RunSpec::new("a".parse().unwrap(), "b/c:1".parse().unwrap())
            .entrypoint(["sh", "-c", "exit 3"])
            .arguments(["x"]);
        let argv = argv(&run(CommandLine::new("podman"), &spec, "b/c:1"));
        let image = argv.iter().position(|word| word == "b/c:1").unwrap();
        assert_eq!(argv[image - 2..image], ["--entrypoint", "sh"]);
        assert_eq!(argv[image + 1..], ["-c", "exit 3", "x"]);
    }

    #[test]
    fn a_path_with_commas_or_quotes_is_one_csv_field() {
        let mount = Mount::Bind { source: "/a,b\"c".into(), target: "/t".into(), access: Access::ReadOnly };
        assert_eq!(mount_option(&mount), OsString::from("type=bind,\"source=/a,b\"\"c\",target=/t,readonly"));
    }

    #[test]
    fn a_port_without_a_number_is_left_to_the_engine() {
        let port = PublishedPort { container: 5432, address: [127, 0, 0, 1].into(), port: None };
        assert_eq!(publish_option(&port), "127.0.0.1::5432/tcp");
    }

    #[test]
    fn a_label_value_is_quoted_for_the_dockerfile_format() {
        assert_eq!(dockerfile_word(r#"{"a":"$b\c"}"#).unwrap(), r#""{\"a\":\"\$b\\c\"}""#);
    }

    #[test]
    fn a_line_break_can_not_be_written_in_the_dockerfile_format() {
        assert_eq!(dockerfile_word("a\nb"), None);
    }

    #[test]
    fn podman_gets_a_label_value_as_it_is() {
        assert_eq!(bare_word("\"$a\\\n").unwrap(), "\"\"$a\\\n\"");
    }
}
