//! Seeds applied to a real PostgreSQL of this machine, in a cluster of the test's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ociman::{Secret, Variable};
use pg_ephemeral_core::config::{Config, Overrides};
use pg_ephemeral_core::seed::{self, ApplyContext, ApplyError, ApplyEvent, ChildEnvironment, EventSink};
use tokio_postgres::{Client, NoTls};

/// A cluster that goes with the test.
struct Cluster {
    process: Child,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// A running cluster, and the folder `project` in it for the seeds' files.
    async fn start() -> Self {
        let bin = binaries();
        let folder = tempfile::Builder::new().prefix("pge-").tempdir_in("/tmp").unwrap();
        let path = folder.path();
        std::fs::create_dir(path.join("project")).unwrap();
        if am_root() {
            run(Command::new("chown").arg("postgres").arg(path));
        }
        let data = path.join("data");
        let initdb = bin.join("initdb");
        run(as_server_user(&initdb)
            .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"])
            .arg(&data));
        let process = as_server_user(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            // A server that is killed leaves what it has of the system's shared memory.
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "dynamic_shared_memory_type=mmap", "-k"])
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Self { process, folder };
        let limit = Instant::now() + Duration::from_secs(30);
        while cluster.try_connect().await.is_none() {
            assert!(Instant::now() < limit, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cluster
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.project().join(name), content).unwrap();
    }

    async fn try_connect(&self) -> Option<Client> {
        let config = format!("host={} user=postgres dbname=postgres", self.folder.path().display());
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.ok()?;
        tokio::spawn(connection);
        Some(client)
    }

    /// Applies the seeds of a configuration, each over a connection of its own.
    async fn apply(&self, seeds: &str, events: &EventSink) -> Result<(), ApplyError> {
        let text = format!("[instances.main.seeds]\n{seeds}");
        let config = Config::parse(&text, self.project().join("database.toml")).unwrap();
        let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
        let environment = ChildEnvironment::new(vec![
            Variable::plain("PGHOST", self.folder.path().display().to_string()),
            Variable::plain("PGUSER", "postgres"),
            Variable::plain("PGDATABASE", "postgres"),
            Variable::secret("PGPASSWORD", Secret::new("hunter2")),
        ]);
        for seed in seed::load(&main.seeds, &main.folder).await.unwrap().iter() {
            let client = &self.try_connect().await.unwrap();
            seed::apply(seed, &ApplyContext { client, environment: &environment, events }).await?;
        }
        Ok(())
    }

    async fn ok(&self, seeds: &str) {
        if let Err(error) = self.apply(seeds, &EventSink::default()).await {
            panic!("{}", story(&error));
        }
    }

    /// The error of a seed with all its causes.
    async fn failed(&self, seeds: &str) -> String {
        story(&self.apply(seeds, &EventSink::default()).await.unwrap_err())
    }

    /// The only value a query gives.
    async fn value(&self, query: &str) -> String {
        let client = self.try_connect().await.unwrap();
        client.query_one(&format!("select ({query})::text"), &[]).await.unwrap().get(0)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The server's user is another one, and a kill needs no manners in a test.
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Its children end by themselves a moment after it; their folder must not be in use then.
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn binaries() -> PathBuf {
    let mut found: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is not in /usr/lib/postgresql: install it, `apt-get install postgresql`")
}

fn am_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// PostgreSQL refuses to run as root.
fn as_server_user(program: &Path) -> Command {
    let mut command = if am_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn story(error: &dyn std::error::Error) -> String {
    let mut story = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        story += &format!("\ncaused by: {error}");
        cause = error.source();
    }
    story
}

fn statement(sql: &str) -> String {
    format!("it = {{ type = 'sql-statement', statement = '''{sql}''' }}")
}

#[tokio::test]
async fn sql_runs_as_psql_runs_it() {
    let cluster = Cluster::start().await;
    cluster.write(
        "schema.sql",
        "create type mood as enum ('sad');\n\
         alter type mood add value 'happy';\n\
         create table person (id int primary key, mood mood);\n\
         insert into person values (1, 'happy');\n\
         create index concurrently on person (mood);\n\
         vacuum analyze person;\n\
         create database other;\n\
         create function twice(i int) returns int begin atomic select i * 2; end;\n\
         do $$ begin commit; end $$;\n\
         begin; insert into person values (2, 'sad'); rollback;\n\
         insert into person values (3, 'sad');\n",
    );
    cluster.ok("it = { type = 'sql-file', path = 'schema.sql' }").await;
    assert_eq!(cluster.value("select string_agg(id::text, ',' order by id) from person").await, "1,3");
    assert_eq!(cluster.value("twice(21)").await, "42");
}

#[tokio::test]
async fn what_a_seed_sets_in_its_session_does_not_reach_the_next() {
    let cluster = Cluster::start().await;
    let seeds = "a = { type = 'sql-statement', statement = \"set search_path = ''; alter role postgres set datestyle = 'German'\" }\n\
                 b = { type = 'sql-statement', statement = \"create table t as select current_setting('datestyle') as style\" }";
    cluster.ok(seeds).await;
    assert_eq!(cluster.value("select style from public.t").await, "German, DMY");
}

#[tokio::test]
async fn an_error_of_sql_has_its_line_and_all_that_the_server_says() {
    let cluster = Cluster::start().await;
    cluster.write("a.sql", "select 1;\n\n  select 'é', nope\n from pg_class;\n");
    assert_eq!(
        cluster.failed("it = { type = 'sql-file', path = 'a.sql' }").await,
        "apply seed it\ncaused by: run a.sql:3:15\ncaused by: column \"nope\" does not exist (SQLSTATE 42703)"
    );
    // The server knows no position for what goes wrong while a statement runs.
    cluster.write("b.sql", "create table t (id int primary key);\nvacuum;\ninsert into t values (1);\n-- again\ninsert into t values (1);\n");
    assert_eq!(
        cluster.failed("it = { type = 'sql-file', path = 'b.sql' }").await,
        "apply seed it\ncaused by: run b.sql:5:1\ncaused by: duplicate key value violates unique constraint \"t_pkey\" \
         (SQLSTATE 23505)\ndetail: Key (id)=(1) already exists."
    );
    let function =
        cluster.failed(&statement("do $$\nbegin\n  raise exception 'no' using hint = 'try yes';\nend $$")).await;
    assert_eq!(
        function,
        "apply seed it\ncaused by: run the statement, line 1 column 1\ncaused by: no (SQLSTATE P0001)\n\
         hint: try yes\ncontext: PL/pgSQL function inline_code_block line 3 at RAISE"
    );
}

#[tokio::test]
async fn an_error_at_the_end_of_a_transaction_is_found_at_its_last_statement() {
    let cluster = Cluster::start().await;
    let sql = "create table a (id int primary key, b int references a deferrable initially deferred);\n\
               insert into a values (1, 2);\nselect 1;";
    let error = cluster.failed(&statement(sql)).await;
    assert!(error.contains("run the statement, line 3 column 1\n"), "{error}");
    assert!(error.contains("detail: Key (b)=(2) is not present"), "{error}");
}

#[tokio::test]
async fn a_transaction_that_is_left_open_is_an_error() {
    let cluster = Cluster::start().await;
    let error = cluster.failed(&statement("begin; create table t()")).await;
    assert_eq!(error, "apply seed it\ncaused by: run statement: it starts a transaction and leaves it open");
    cluster.ok(&statement("begin; create table t(); commit")).await;
}

#[tokio::test]
async fn psql_s_commands_are_refused_with_their_line_and_a_way_out() {
    let cluster = Cluster::start().await;
    cluster.write("dump.sql", "create table t (a text);\n\\copy t from 'x'\n");
    let error =
        cluster.apply("it = { type = 'sql-file', path = 'dump.sql' }", &EventSink::default()).await.unwrap_err();
    assert_eq!(
        story(&error),
        "apply seed it\ncaused by: read dump.sql:2:1\ncaused by: the backslash command `\\copy` is for psql, \
         the server does not know it"
    );
    assert!(error.hint().unwrap().contains("psql -v ON_ERROR_STOP=1 -f dump.sql"));
    assert_eq!(cluster.value("select count(*) from pg_class where relname = 't'").await, "0");
}

fn csv(rest: &str) -> String {
    format!("it = {{ type = 'csv-file', path = 't.csv', table = {{ schema = 'public', table = 'My Table' }}{rest} }}")
}

const TABLE: &str = r#"create table "My Table" (id int primary key, "a""b" text default 'none', at date)"#;

#[tokio::test]
async fn a_csv_file_names_its_columns_in_any_order_and_may_leave_some_out() {
    let cluster = Cluster::start().await;
    cluster.ok(&statement(TABLE)).await;
    cluster.write("t.csv", "at,id\n2024-02-29,1\n,2\n");
    cluster.ok(&csv("")).await;
    cluster.write("t.csv", "\"a\"\"b\";id\r\n\"x;\"\"y\"\"\nz\";3\r\n");
    cluster.ok(&csv(", delimiter = ';'")).await;
    let rows =
        r#"select string_agg(id || ':' || "a""b" || ':' || coalesce(at::text, '-'), '|' order by id) from "My Table""#;
    assert_eq!(cluster.value(rows).await, "1:none:2024-02-29|2:none:-|3:x;\"y\"\nz:-");
}

#[tokio::test]
async fn an_error_of_a_csv_file_has_its_line() {
    let cluster = Cluster::start().await;
    cluster.ok(&statement(TABLE)).await;
    cluster.write("t.csv", "id,at\n1,2024-01-01\n2,never\n");
    let error = cluster.failed(&csv("")).await;
    assert!(
        error.starts_with("apply seed it\ncaused by: load t.csv:3\ncaused by: invalid input syntax for type date"),
        "{error}"
    );
    assert!(error.contains("column at: \"never\""), "{error}");
    cluster.write("t.csv", "id,ta\n1,2024-01-01\n");
    assert_eq!(
        cluster.failed(&csv("")).await,
        "apply seed it\ncaused by: load t.csv:1: the table public.My Table has no column \"ta\", it has id, a\"b, at"
    );
    assert_eq!(cluster.value(r#"select count(*) from "My Table""#).await, "0");
    let missing = cluster.failed(&csv("").replace("My Table", "no")).await;
    assert!(missing.contains("caused by: load t.csv\ncaused by: relation \"public.no\" does not exist"), "{missing}");
}

#[tokio::test]
async fn a_big_csv_file_tells_how_far_it_is() {
    let cluster = Cluster::start().await;
    cluster.ok(&statement(TABLE)).await;
    let mut rows = "id,at\n".to_owned();
    (0..200_000).for_each(|id| rows += &format!("{id},2024-01-01\n"));
    let size = rows.len() as u64;
    cluster.write("t.csv", rows);
    let progress = Arc::new(Mutex::new(Vec::new()));
    let kept = progress.clone();
    let events = EventSink::new(move |event| {
        if let ApplyEvent::Copied { bytes, total } = event {
            kept.lock().unwrap().push((bytes, total));
        }
    });
    cluster.apply(&csv(""), &events).await.unwrap();
    assert_eq!(cluster.value(r#"select count(*) from "My Table""#).await, "200000");
    let progress = progress.lock().unwrap();
    assert!(progress.len() > 5 && progress.is_sorted());
    assert_eq!(progress.last(), Some(&(size, size)));
}

#[tokio::test]
async fn a_csv_file_that_changed_after_it_was_hashed_is_not_taken() {
    let cluster = Cluster::start().await;
    cluster.ok(&statement(TABLE)).await;
    cluster.write("t.csv", "id\n1\n");
    let config = Config::parse(&format!("[instances.main.seeds]\n{}", csv("")), cluster.project().join("x")).unwrap();
    let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
    let loaded = seed::load(&main.seeds, &main.folder).await.unwrap();
    cluster.write("t.csv", "id\n2\n");
    let client = &cluster.try_connect().await.unwrap();
    let context = ApplyContext { client, environment: &ChildEnvironment::default(), events: &EventSink::default() };
    let error = seed::apply(loaded.get(0).unwrap(), &context).await.unwrap_err();
    assert_eq!(story(&error), "apply seed it\ncaused by: t.csv changed while it was in use");
    assert_eq!(cluster.value(r#"select count(*) from "My Table""#).await, "0");
}

#[tokio::test]
async fn scripts_and_commands_work_on_the_server_they_are_given() {
    let cluster = Cluster::start().await;
    cluster.write("t.sql", "\\set name t\ncreate table :name (a int);\n");
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    let events = EventSink::new(move |event| {
        if let ApplyEvent::Output { line, .. } = event {
            kept.lock().unwrap().push(line.to_owned());
        }
    });
    let seeds = "a = { type = 'script', script = 'psql -v ON_ERROR_STOP=1 -f t.sql' }\n\
                 b = { type = 'command', command = 'psql', arguments = ['-c', 'insert into t values (1)'] }";
    cluster.apply(seeds, &events).await.unwrap();
    assert_eq!(cluster.value("select count(*) from t").await, "1");
    assert_eq!(*lines.lock().unwrap(), ["CREATE TABLE", "INSERT 0 1"]);

    let error = cluster.failed("it = { type = 'script', script = \"psql -qc 'select nope'\" }").await;
    assert!(
        error.starts_with("apply seed it\ncaused by: the script ended with exit status: 1; its last words:\n"),
        "{error}"
    );
    assert!(error.contains("column \"nope\" does not exist"), "{error}");
}

/// More than it may take of memory, by far.
#[tokio::test]
async fn a_big_csv_file_is_never_whole_in_memory() {
    copy_rows_of_a_kilobyte(150_000).await;
}

#[tokio::test]
#[ignore = "writes 3 GB: run it alone, with --ignored"]
async fn a_csv_file_of_a_gigabyte_is_never_whole_in_memory() {
    copy_rows_of_a_kilobyte(1_000_000).await;
}

async fn copy_rows_of_a_kilobyte(rows: usize) {
    use std::io::Write;
    let cluster = Cluster::start().await;
    cluster.ok(&statement(&TABLE.replace("create", "create unlogged"))).await;
    let mut file = std::io::BufWriter::new(std::fs::File::create(cluster.project().join("t.csv")).unwrap());
    writeln!(file, "id,\"a\"\"b\"").unwrap();
    let text = "x".repeat(1000);
    (0..rows).for_each(|id| writeln!(file, "{id},{text}").unwrap());
    drop(file.into_inner().unwrap());
    let before = peak_memory();
    let begin = Instant::now();
    cluster.ok(&csv("")).await;
    let grown = peak_memory() - before;
    println!("{rows} rows: {:?}, {grown} kB more than before", begin.elapsed());
    assert!(grown < 48 * 1024, "{grown} kB");
    assert_eq!(cluster.value(r#"select count(*) from "My Table""#).await, rows.to_string());
}

/// The most memory that this process has had at once, in kB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
