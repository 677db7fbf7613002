//! Seeds applied to a real PostgreSQL of this machine, on a server of the test's own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ociman::Kind;
use pg_ephemeral_core::config::{BackendChoice, Config, Overrides};
use pg_ephemeral_core::seed::{self, ApplyContext, ApplyError, ApplyEvent, ChildEnvironment, EventSink};
use pg_ephemeral_core::{Definition, Folders, Server};
use pg_ephemeral_testkit::base_layer::state_with_base_layer;
use tempfile::TempDir;

/// A server that goes with the test.
struct Site {
    server: Server,
    home: TempDir,
}

impl Site {
    /// A running server, and the folder `project` for the seeds' files.
    async fn start() -> Self {
        let home = state_with_base_layer();
        std::fs::create_dir(home.path().join("project")).unwrap();
        let definition = Definition::in_folders(Folders::at(home.path()));
        let server = definition.backend_choice(BackendChoice::Only(Kind::Host)).start().await.unwrap();
        Self { server, home }
    }

    fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.project().join(name), content).unwrap();
    }

    /// Applies the seeds of a configuration, each over a connection of its own.
    async fn apply(&self, seeds: &str, events: &EventSink) -> Result<(), ApplyError> {
        let text = format!("[instances.main.seeds]\n{seeds}");
        let config = Config::parse(&text, self.project().join("database.toml")).unwrap();
        let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
        let environment = ChildEnvironment::new(self.server.pg_env());
        for seed in seed::load(&main.seeds, &main.folder).await.unwrap().iter() {
            let client = &self.server.connect().await.unwrap();
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
        let client = self.server.connect().await.unwrap();
        client.query_one(&format!("select ({query})::text"), &[]).await.unwrap().get(0)
    }
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
    let site = Site::start().await;
    site.write(
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
    site.ok("it = { type = 'sql-file', path = 'schema.sql' }").await;
    assert_eq!(site.value("select string_agg(id::text, ',' order by id) from person").await, "1,3");
    assert_eq!(site.value("twice(21)").await, "42");
}

#[tokio::test]
async fn what_a_seed_sets_in_its_session_does_not_reach_the_next() {
    let site = Site::start().await;
    let seeds = "a = { type = 'sql-statement', statement = \"set search_path = ''; alter role postgres set datestyle = 'German'\" }\n\
                 b = { type = 'sql-statement', statement = \"create table t as select current_setting('datestyle') as style\" }";
    site.ok(seeds).await;
    assert_eq!(site.value("select style from public.t").await, "German, DMY");
}

#[tokio::test]
async fn an_error_of_sql_has_its_line_and_all_that_the_server_says() {
    let site = Site::start().await;
    site.write("a.sql", "select 1;\n\n  select 'é', nope\n from pg_class;\n");
    assert_eq!(
        site.failed("it = { type = 'sql-file', path = 'a.sql' }").await,
        "apply seed it\ncaused by: run a.sql:3:15\ncaused by: column \"nope\" does not exist (SQLSTATE 42703)"
    );
    // The server knows no position for what goes wrong while a statement runs.
    site.write("b.sql", "create table t (id int primary key);\nvacuum;\ninsert into t values (1);\n-- again\ninsert into t values (1);\n");
    assert_eq!(
        site.failed("it = { type = 'sql-file', path = 'b.sql' }").await,
        "apply seed it\ncaused by: run b.sql:5:1\ncaused by: duplicate key value violates unique constraint \"t_pkey\" \
         (SQLSTATE 23505)\ndetail: Key (id)=(1) already exists."
    );
    let function =
        site.failed(&statement("do $$\nbegin\n  raise exception 'no' using hint = 'try yes';\nend $$")).await;
    assert_eq!(
        function,
        "apply seed it\ncaused by: run the statement, line 1 column 1\ncaused by: no (SQLSTATE P0001)\n\
         hint: try yes\ncontext: PL/pgSQL function inline_code_block line 3 at RAISE"
    );
}

#[tokio::test]
async fn an_error_at_the_end_of_a_transaction_is_found_at_its_last_statement() {
    let site = Site::start().await;
    let sql = "create table a (id int primary key, b int references a deferrable initially deferred);\n\
               insert into a values (1, 2);\nselect 1;";
    let error = site.failed(&statement(sql)).await;
    assert!(error.contains("run the statement, line 3 column 1\n"), "{error}");
    assert!(error.contains("detail: Key (b)=(2) is not present"), "{error}");
}

#[tokio::test]
async fn a_transaction_that_is_left_open_is_an_error() {
    let site = Site::start().await;
    let error = site.failed(&statement("begin; create table t()")).await;
    assert_eq!(error, "apply seed it\ncaused by: run statement: it starts a transaction and leaves it open");
    site.ok(&statement("begin; create table t(); commit")).await;
}

#[tokio::test]
async fn psql_s_commands_are_refused_with_their_line_and_a_way_out() {
    let site = Site::start().await;
    site.write("dump.sql", "create table t (a text);\n\\copy t from 'x'\n");
    let error = site.apply("it = { type = 'sql-file', path = 'dump.sql' }", &EventSink::default()).await.unwrap_err();
    assert_eq!(
        story(&error),
        "apply seed it\ncaused by: read dump.sql:2:1\ncaused by: the backslash command `\\copy` is for psql, \
         the server does not know it"
    );
    assert!(error.hint().unwrap().contains("psql -v ON_ERROR_STOP=1 -f dump.sql"));
    assert_eq!(site.value("select count(*) from pg_class where relname = 't'").await, "0");
}

fn csv(rest: &str) -> String {
    format!("it = {{ type = 'csv-file', path = 't.csv', table = {{ schema = 'public', table = 'My Table' }}{rest} }}")
}

const TABLE: &str = r#"create table "My Table" (id int primary key, "a""b" text default 'none', at date)"#;

#[tokio::test]
async fn a_csv_file_names_its_columns_in_any_order_and_may_leave_some_out() {
    let site = Site::start().await;
    site.ok(&statement(TABLE)).await;
    site.write("t.csv", "at,id\n2024-02-29,1\n,2\n");
    site.ok(&csv("")).await;
    site.write("t.csv", "\"a\"\"b\";id\r\n\"x;\"\"y\"\"\nz\";3\r\n");
    site.ok(&csv(", delimiter = ';'")).await;
    let rows =
        r#"select string_agg(id || ':' || "a""b" || ':' || coalesce(at::text, '-'), '|' order by id) from "My Table""#;
    assert_eq!(site.value(rows).await, "1:none:2024-02-29|2:none:-|3:x;\"y\"\nz:-");
}

#[tokio::test]
async fn an_error_of_a_csv_file_has_its_line() {
    let site = Site::start().await;
    site.ok(&statement(TABLE)).await;
    site.write("t.csv", "id,at\n1,2024-01-01\n2,never\n");
    let error = site.failed(&csv("")).await;
    assert!(
        error.starts_with("apply seed it\ncaused by: load t.csv:3\ncaused by: invalid input syntax for type date"),
        "{error}"
    );
    assert!(error.contains("column at: \"never\""), "{error}");
    site.write("t.csv", "id,ta\n1,2024-01-01\n");
    assert_eq!(
        site.failed(&csv("")).await,
        "apply seed it\ncaused by: load t.csv:1: the table public.My Table has no column \"ta\", it has id, a\"b, at"
    );
    assert_eq!(site.value(r#"select count(*) from "My Table""#).await, "0");
    let missing = site.failed(&csv("").replace("My Table", "no")).await;
    assert!(missing.contains("caused by: load t.csv\ncaused by: relation \"public.no\" does not exist"), "{missing}");
}

#[tokio::test]
async fn a_big_csv_file_tells_how_far_it_is() {
    let site = Site::start().await;
    site.ok(&statement(TABLE)).await;
    let mut rows = "id,at\n".to_owned();
    (0..200_000).for_each(|id| rows += &format!("{id},2024-01-01\n"));
    let size = rows.len() as u64;
    site.write("t.csv", rows);
    let progress = Arc::new(Mutex::new(Vec::new()));
    let kept = progress.clone();
    let events = EventSink::new(move |event| {
        if let ApplyEvent::Copied { bytes, total } = event {
            kept.lock().unwrap().push((bytes, total));
        }
    });
    site.apply(&csv(""), &events).await.unwrap();
    assert_eq!(site.value(r#"select count(*) from "My Table""#).await, "200000");
    let progress = progress.lock().unwrap();
    assert!(progress.len() > 5 && progress.is_sorted());
    assert_eq!(progress.last(), Some(&(size, size)));
}

#[tokio::test]
async fn a_csv_file_that_changed_after_it_was_hashed_is_not_taken() {
    let site = Site::start().await;
    site.ok(&statement(TABLE)).await;
    site.write("t.csv", "id\n1\n");
    let config = Config::parse(&format!("[instances.main.seeds]\n{}", csv("")), site.project().join("x")).unwrap();
    let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
    let loaded = seed::load(&main.seeds, &main.folder).await.unwrap();
    site.write("t.csv", "id\n2\n");
    let client = &site.server.connect().await.unwrap();
    let context = ApplyContext { client, environment: &ChildEnvironment::default(), events: &EventSink::default() };
    let error = seed::apply(loaded.get(0).unwrap(), &context).await.unwrap_err();
    assert_eq!(story(&error), "apply seed it\ncaused by: t.csv changed while it was in use");
    assert_eq!(site.value(r#"select count(*) from "My Table""#).await, "0");
}

#[tokio::test]
async fn scripts_and_commands_work_on_the_server_they_are_given() {
    let site = Site::start().await;
    site.write("t.sql", "\\set name t\ncreate table :name (a int);\n");
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    let events = EventSink::new(move |event| {
        if let ApplyEvent::Output { line, .. } = event {
            kept.lock().unwrap().push(line.to_owned());
        }
    });
    let seeds = "a = { type = 'script', script = 'psql -v ON_ERROR_STOP=1 -f t.sql' }\n\
                 b = { type = 'command', command = 'psql', arguments = ['-c', 'insert into t values (1)'] }";
    site.apply(seeds, &events).await.unwrap();
    assert_eq!(site.value("select count(*) from t").await, "1");
    assert_eq!(*lines.lock().unwrap(), ["CREATE TABLE", "INSERT 0 1"]);

    let error = site.failed("it = { type = 'script', script = \"psql -qc 'select nope'\" }").await;
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
    let site = Site::start().await;
    site.ok(&statement(&TABLE.replace("create", "create unlogged"))).await;
    let mut file = std::io::BufWriter::new(std::fs::File::create(site.project().join("t.csv")).unwrap());
    writeln!(file, "id,\"a\"\"b\"").unwrap();
    let text = "x".repeat(1000);
    (0..rows).for_each(|id| writeln!(file, "{id},{text}").unwrap());
    drop(file.into_inner().unwrap());
    let before = peak_memory();
    let begin = Instant::now();
    site.ok(&csv("")).await;
    let grown = peak_memory() - before;
    println!("{rows} rows: {:?}, {grown} kB more than before", begin.elapsed());
    assert!(grown < 48 * 1024, "{grown} kB");
    assert_eq!(site.value(r#"select count(*) from "My Table""#).await, rows.to_string());
}

/// The most memory that this process has had at once, in kB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
