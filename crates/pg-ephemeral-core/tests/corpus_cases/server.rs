//! Runs psql and `pg_dumpall` directly, next to a server, as a person would.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ociman::ExecSpec;
use pg_ephemeral_core::Server;

/// How psql ended.
pub(super) struct ByHand {
    pub(super) status: i32,
    pub(super) stderr: String,
}

/// Lets every role connect without a password, because files may use `\connect` with another role or change the
/// superuser's password. No dump contains this setting.
pub(super) async fn allow_everybody(server: &Server) {
    let client = server.connect().await.unwrap();
    let loaded = async || {
        let row = client.query_one("select pg_conf_load_time()::text", &[]).await.unwrap();
        row.get::<_, String>(0)
    };
    let before = loaded().await;
    let rules = "do $$ begin execute format('copy (values (''local all all trust''), (''host all all all trust'')) to %L', \
                 current_setting('hba_file')); end $$; select pg_reload_conf();";
    client.batch_execute(rules).await.unwrap();
    let begin = Instant::now();
    while loaded().await == before {
        assert!(begin.elapsed() < Duration::from_secs(30), "the server does not read its rules anew");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs `psql -X -v ON_ERROR_STOP=1 -f FILE` in the folder of the corpus. A compressed file is unpacked first, because
/// psql can't read it.
pub(super) async fn run_by_hand(server: &Server, file: &str) -> ByHand {
    let (file, input) = match file.ends_with(".gz") {
        true => ("-", unpacked(file)),
        false => (file, Vec::new()),
    };
    let output = run(server, "psql", &["-X", "-v", "ON_ERROR_STOP=1", "-f", file], &input).await;
    ByHand { status: output.status.code(), stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
}

fn unpacked(file: &str) -> Vec<u8> {
    let mut command = Command::new("gzip");
    let output = command.arg("-dc").arg(super::folder().join(file)).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "gzip -dc {file}");
    output.stdout
}

/// Returns all databases and roles as SQL, without the parts that differ between servers for other reasons than the
/// seed.
pub(super) async fn dump_all(server: &Server) -> Result<String, String> {
    let output = run(server, "pg_dumpall", &["--encoding=UTF8"], b"").await;
    if !output.status.success() {
        return Err(format!("pg_dumpall failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .filter(|line| !is_restriction(line))
        .fold(String::new(), |all, line| all + &normalised(line) + "\n"))
}

/// Returns `true` for a `\restrict` or `\unrestrict` line, which contains a random key. Rows of COPY never begin like
/// this, because COPY doubles backslashes.
fn is_restriction(line: &str) -> bool {
    line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ")
}

/// Replaces the superuser's password verifier. pg-ephemeral sets that password for each server, whatever the seed sets,
/// and the verifier has a random salt.
fn normalised(line: &str) -> String {
    let Some(rest) = line.strip_prefix("ALTER ROLE postgres WITH ") else { return line.to_owned() };
    let Some((before, password)) = rest.split_once(" PASSWORD '") else { return line.to_owned() };
    let after = password.split_once('\'').map_or("", |(_, after)| after);
    format!("ALTER ROLE postgres WITH {before} PASSWORD '…'{after}")
}

/// Runs a program of the server's PostgreSQL installation next to the server, in the folder of the corpus.
async fn run(server: &Server, program: &str, arguments: &[&str], input: &[u8]) -> ociman::command::Output {
    let program = match server.programs() {
        Some(folder) => folder.join(program).to_str().unwrap().to_owned(),
        None => program.to_owned(),
    };
    let argv = std::iter::once(program).chain(arguments.iter().map(|argument| (*argument).to_owned()));
    let mut spec = ExecSpec::new(argv);
    spec.folder = Some(super::folder());
    server.exec(spec, input).await.unwrap()
}
