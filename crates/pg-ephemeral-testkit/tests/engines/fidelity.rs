//! Checks that the fakes print the same as the real engines. Both get the same command lines, and their output is
//! compared stream by stream, without IDs. Of JSON output, the types of the fields that the fake has are compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use ociman::System;
use ociman::command::{CommandLine, Executor, Output};
use pg_ephemeral_testkit::{FakeBackend, FakeImage};
use serde_json::Value;

const IMAGE: &str = "docker.io/library/postgres:15";
const JSON_LIST: &str = r#"{"id":{{json .ID}},"names":{{json .Names}},"state":{{json .State}},"ports":{{json .Ports}},"labels":[{{json (.Label "a")}},{{json (.Label "no")}}]}"#;

/// The command lines, without the program. `@` stands for the image, `%` for the prefix of all names, and `_` for a
/// space within an argument. The lines create the containers `%a` to `%e` and the images `localhost/%i:1` and `:2`.
const LINES: &[&str] = &[
    "run --detach --pull never --name %a --label a=b --label c=x,y --env FOO=bar --entrypoint sleep @ 600",
    "run --detach --pull never --name %a --entrypoint sleep @ 600",
    "run --detach --pull never --name %b --entrypoint sleep localhost/%nope:1 600",
    "run --detach --pull never --name %c --entrypoint /nope @ 600",
    "rm --force --volumes %c",
    "run --detach --pull never --name %c --entrypoint nope @ 600",
    "rm --force --volumes %c",
    "run --detach --pull never --name %c --entrypoint /etc/passwd @ 600",
    "rm --force --volumes %c",
    "run --detach --pull never --name %c --user no-such-user --entrypoint sleep @ 9",
    "rm --force --volumes %c",
    "run --detach --pull never --name %c --mount type=bind,source=/no/such,target=/t --entrypoint sleep @ 9",
    "run --rm --interactive --log-driver none --pull never --name %e --entrypoint sh @ -c cat;_echo_out;_echo_err_>&2;_exit_42",
    "run --rm --pull never --name %e --entrypoint sh @ -c sh_-c_'kill_-9_$$'",
    "run --rm --pull never --name %e --entrypoint nope @",
    "container inspect --format {{.State.Status}} %e",
    "rm --force --volumes %e",
    "run --rm --pull never --name %a --entrypoint sleep @ 600",
    "run --detach --no-such-flag @",
    "run",
    "container inspect %a",
    "container inspect --format {{.State.Status}} %a",
    "container inspect %zz %yy",
    "container inspect %zz %a",
    "image inspect localhost/%nope:1 localhost/%nope:2",
    "exec %zz true",
    "exec %a no-such-program",
    "exec %a /no/such/program",
    "exec %a /etc/passwd",
    "exec --workdir /no/such/folder %a true",
    "exec --user no-such-user %a true",
    "exec %a sh -c exit_42",
    "exec %a sh -c echo_out;_echo_err_>&2;_kill_-9_$$",
    "exec %a",
    "start %a",
    "rm --volumes %a",
    "commit --change LABEL_k=\"v_\\\"q\\\"_\\$x_\\\\_y\" %a localhost/%i:1",
    "image inspect --format {{json_.Config.Labels.k}}_{{json_.RepoTags}} localhost/%i:1",
    "commit --change LABEL_k=\"a\nb\" %zz localhost/%i:1",
    "run --detach --name %d --entrypoint sh localhost/%i:1 -c exit_3",
    "wait %d",
    "container inspect --format {{.State.Status}}_{{.State.ExitCode}} %d",
    "image rm localhost/%i:1",
    "tag localhost/%i:1 localhost/%i:2",
    "image rm localhost/%i:1",
    "rm %d",
    "image rm localhost/%i:2",
    "image rm localhost/%i:2",
    "tag localhost/%i:1 localhost/%i:2",
    "stop -t 0 %a",
    "stop -t 0 %a",
    "exec %a true",
    "start %a",
    "stop -t 0 %zz",
    "start %zz",
    "wait %zz",
    "wait",
    "logs --tail 5 %zz",
    "rm --volumes %zz",
    "rm --force --volumes %zz",
    "commit %zz localhost/%i:1",
    "tag @",
    "no-such-command",
    "rm --force --volumes %a",
];

struct Engine {
    program: &'static str,
    prefix: String,
    executor: Arc<dyn Executor>,
}

impl Engine {
    async fn say(&self, line: &str) -> Output {
        let word = |word: &str| word.replace('%', &self.prefix).replace('@', IMAGE).replace('_', " ");
        let mut words: Vec<String> = line.split(' ').map(word).collect();
        if self.program == "podman" && words.iter().any(|word| word == "--force") {
            words.extend(["--time".to_owned(), "0".to_owned()]);
        }
        self.executor.capture(CommandLine::new(self.program).arguments(words), b"").await.expect("the engine's program")
    }

    /// Replaces texts that differ between two engines of the same kind, such as IDs.
    fn shown(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).replace(&self.prefix, "%");
        let mut shown = String::new();
        let mut word = String::new();
        for character in text.chars().chain(['\n']) {
            if character.is_ascii_hexdigit() {
                word.push(character);
                continue;
            }
            shown.push_str(match word.len() {
                64 => "[ID]",
                12 => "[SHORT ID]",
                _ => &word,
            });
            word.clear();
            shown.push(character);
        }
        let without_chatter =
            shown.lines().filter(|line| !line.contains("level=warning") && !line.starts_with("Deleted:"));
        without_chatter.map(|line| line.trim_end().to_owned() + "\n").collect::<String>().trim_end().to_owned()
    }
}

/// Returns the first paragraph of an error. The help texts after it are not compared, because the fakes don't imitate
/// them.
fn first_paragraph(text: &str) -> &str {
    text.split("\n\n").next().unwrap_or_default()
}

/// Compares the types of JSON values. Everything in the output of the fake must also be in the output of the real
/// engine.
fn same_shape(path: &str, fake: &Value, real: &Value, differences: &mut Vec<String>) {
    match (fake, real) {
        (Value::Object(fake), Value::Object(real)) => {
            for (key, value) in fake {
                // The keys of these objects are data.
                if matches!(key.as_str(), "Labels" | "Volumes" | "ExposedPorts") {
                    continue;
                }
                match real.get(key) {
                    Some(other) => same_shape(&format!("{path}.{key}"), value, other, differences),
                    None => differences.push(format!("{path}.{key} is not there")),
                }
            }
        }
        (Value::Array(fake), Value::Array(real)) => {
            if let (Some(fake), Some(real)) = (fake.first(), real.first()) {
                same_shape(&format!("{path}[0]"), fake, real, differences);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ if std::mem::discriminant(fake) == std::mem::discriminant(real) => {}
        _ => differences.push(format!("{path} is {real}, not {fake}")),
    }
}

async fn compare(program: &'static str, fake: FakeBackend) {
    let prefix = format!("fidelity-{}-", std::process::id());
    let real = Engine { program, prefix: prefix.clone(), executor: Arc::new(System) };
    let fake = fake.with_image(FakeImage::new(IMAGE));
    let fake = Engine { program, prefix, executor: Arc::new(fake) };
    let mut differences = Vec::new();
    for line in LINES {
        let (expected, got) = (real.say(line).await, fake.say(line).await);
        let mut different = BTreeMap::new();
        if expected.status != got.status {
            different.insert("status", (expected.status.to_string(), got.status.to_string()));
        }
        for (name, expected, got) in
            [("stdout", &expected.stdout, &got.stdout), ("stderr", &expected.stderr, &got.stderr)]
        {
            if let (Ok(expected), Ok(got)) = (serde_json::from_slice::<Value>(expected), serde_json::from_slice(got)) {
                let mut all = Vec::new();
                same_shape("", &got, &expected, &mut all);
                if !all.is_empty() {
                    different.insert(name, (String::new(), all.join(", ")));
                }
                continue;
            }
            let (expected, got) = (real.shown(expected), fake.shown(got));
            if first_paragraph(&expected) != first_paragraph(&got) {
                different.insert(name, (expected, got));
            }
        }
        for (what, (expected, got)) in different {
            differences.push(format!(
                "{program} {line}\n  {what} of the engine: {expected:?}\n  {what} of the fake:   {got:?}"
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test]
async fn fake_docker_prints_the_same_as_docker() {
    compare("docker", FakeBackend::docker()).await;
}

#[tokio::test]
async fn fake_podman_prints_the_same_as_podman() {
    compare("podman", FakeBackend::podman()).await;
}

/// Listings also show containers and images of other tests, so only the types of their fields are compared.
#[tokio::test]
async fn listings_have_the_same_fields_as_those_of_the_engines() {
    let mut differences = Vec::new();
    let engines = [("docker", FakeBackend::docker()), ("podman", FakeBackend::podman())];
    for (program, fake) in engines {
        let prefix = format!("fidelity-list-{}-", std::process::id());
        let real = Engine { program, prefix: prefix.clone(), executor: Arc::new(System) };
        let fake = Engine { program, prefix, executor: Arc::new(fake.with_image(FakeImage::new(IMAGE))) };
        let run = "run --detach --name %a --label a=b --publish 127.0.0.1::5432/tcp --entrypoint sleep @ 600";
        let formats = match program {
            "docker" => ["{{json .}}", "{{json .}}"],
            _ => ["json", "json"],
        };
        let mut listings = Vec::new();
        for engine in [&real, &fake] {
            engine.say(run).await;
            let list = |words: &[&str]| CommandLine::new(program).arguments(words.iter().copied());
            let filter = format!("name={}a", engine.prefix);
            let lines = [
                list(&["ps", "--all", "--no-trunc", "--format", formats[0], "--filter", &filter]),
                list(&["images", "--no-trunc", "--format", formats[1]]),
                list(&["version", "--format", "{{json .}}"]),
                list(&["ps", "--all", "--no-trunc", "--format", JSON_LIST, "--filter", &filter]),
            ];
            let mut values = Vec::new();
            for line in lines.into_iter().take(if program == "docker" { 4 } else { 3 }) {
                let mut output = engine.executor.capture(line.clone(), b"").await.expect("the engine's program");
                // A listing of Podman fails if another test removes an image or a container meanwhile.
                while !output.status.success() {
                    output = engine.executor.capture(line.clone(), b"").await.expect("the engine's program");
                }
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let named = |line: &&str| !line.contains(r#""Repository":"\u003cnone"#);
                let first = if program == "docker" { text.lines().find(named).unwrap_or_default() } else { &text };
                let mut value = serde_json::from_str::<Value>(first).unwrap_or_else(|error| panic!("{error}: {text}"));
                if let Value::Array(entries) = &mut value {
                    // Images without a name have other fields.
                    entries.retain(|entry| entry.get("Names").is_some_and(|names| !names.is_null()));
                }
                values.push(value);
            }
            listings.push(values);
            engine.say("rm --force --volumes %a").await;
        }
        for (real, fake) in listings[0].iter().zip(&listings[1]) {
            same_shape(program, fake, real, &mut differences);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
