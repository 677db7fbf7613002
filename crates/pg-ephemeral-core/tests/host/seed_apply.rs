//! Seeds on the host backend, with a real PostgreSQL.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ociman::Kind;
use pg_ephemeral_core::config::{BackendChoice, Config, Overrides};
use pg_ephemeral_core::progress::{Observer, Step};
use pg_ephemeral_core::seed::{ApplyEvent, EventSink};
use pg_ephemeral_core::{Definition, Folders, Server, StartError};
use pg_ephemeral_testkit::base_layer::state_with_base_layer;
use tempfile::TempDir;

/// A project whose seeds are applied one after the other.
struct Site {
    home: TempDir,
    /// The seeds that were applied, as TOML of `database.toml`.
    seeds: String,
    server: Option<Server>,
}

impl Site {
    /// A project without seeds.
    fn new() -> Self {
        let home = state_with_base_layer();
        std::fs::create_dir(home.path().join("project")).unwrap();
        Self { home, seeds: String::new(), server: None }
    }

    fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.project().join(name), content).unwrap();
    }

    fn definition(&self, seeds: &str) -> Definition {
        let text = format!("[instances.main.seeds]\n{}{seeds}", self.seeds);
        let config = Config::parse(&text, self.project().join("database.toml")).unwrap();
        let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
        let definition = Definition::of_instance(Folders::at(self.home.path()), &main);
        definition.backend_choice(BackendChoice::Only(Kind::Host))
    }

    /// Starts a server with these seeds after the earlier ones.
    async fn apply(&mut self, seeds: &str, events: &EventSink) -> Result<(), StartError> {
        self.server = Some(self.definition(seeds).seed_events(events.clone()).start().await?);
        self.seeds += &seeds.replace("it = ", &format!("it-{} = ", self.seeds.len()));
        self.seeds.push('\n');
        Ok(())
    }

    async fn ok(&mut self, seeds: &str) {
        if let Err(error) = self.apply(seeds, &EventSink::default()).await {
            panic!("{}", error_chain(&error));
        }
    }

    /// Applies a seed that fails, and returns its error with all causes.
    async fn failed(&mut self, seeds: &str) -> String {
        let error = self.apply(seeds, &EventSink::default()).await.unwrap_err();
        let StartError::Seed { source, .. } = error else { panic!("{}", error_chain(&error)) };
        error_chain(&*source)
    }

    /// Returns the only value of a query's result.
    async fn value(&self, query: &str) -> String {
        let client = self.server.as_ref().unwrap().connect().await.unwrap();
        client.query_one(&format!("select ({query})::text"), &[]).await.unwrap().get(0)
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut error_chain = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        error_chain += &format!("\ncaused by: {error}");
        cause = error.source();
    }
    error_chain
}

fn statement(sql: &str) -> String {
    format!("it = {{ type = 'sql-statement', statement = '''{sql}''' }}")
}

#[tokio::test]
async fn sql_runs_as_psql_runs_it() {
    let mut site = Site::new();
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
async fn settings_of_a_seed_s_connection_do_not_affect_the_next_seed() {
    let mut site = Site::new();
    let seeds = "a = { type = 'sql-statement', statement = \"set search_path = ''; alter role postgres set datestyle = 'German'\" }\n\
                 b = { type = 'sql-statement', statement = \"create table t as select current_setting('datestyle') as style\" }";
    site.ok(seeds).await;
    assert_eq!(site.value("select style from public.t").await, "German, DMY");
}

#[tokio::test]
async fn an_sql_error_has_its_line_and_the_server_s_whole_message() {
    let mut site = Site::new();
    site.write("a.sql", "select 1;\n\n  select 'é', nope\n from pg_class;\n");
    assert_eq!(
        site.failed("it = { type = 'sql-file', path = 'a.sql' }").await,
        "seed \"it\" failed at a.sql:4\ncaused by: ERROR:  column \"nope\" does not exist\n\
         LINE 1: select 'é', nope\n                    ^"
    );
    site.write("b.sql", "create table t (id int primary key);\nvacuum;\ninsert into t values (1);\n-- again\ninsert into t values (1);\n");
    assert_eq!(
        site.failed("it = { type = 'sql-file', path = 'b.sql' }").await,
        "seed \"it\" failed at b.sql:5\ncaused by: ERROR:  duplicate key value violates unique constraint \"t_pkey\"\n\
         DETAIL:  Key (id)=(1) already exists."
    );
    let function =
        site.failed(&statement("do $$\nbegin\n  raise exception 'no' using hint = 'try yes';\nend $$")).await;
    assert_eq!(
        function,
        "seed \"it\" failed at line 4 of its statement\ncaused by: ERROR:  no\n\
         HINT:  try yes\nCONTEXT:  PL/pgSQL function inline_code_block line 3 at RAISE"
    );
}

#[tokio::test]
async fn the_output_of_psql_is_passed_on_except_for_its_final_error() {
    let mut site = Site::new();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    let events = EventSink::new(move |event| {
        if let ApplyEvent::Output { line, .. } = event {
            kept.lock().unwrap().push(line.to_owned());
        }
    });
    site.write("a.sql", "drop table if exists t;\nselect 'a result';\n\\warn careful\nselect nope;\n");
    site.apply("it = { type = 'sql-file', path = 'a.sql' }", &events).await.unwrap_err();
    let expected = ["psql:a.sql:1: NOTICE:  table \"t\" does not exist, skipping", "careful"];
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[tokio::test]
async fn psql_in_a_seed_reads_no_start_up_file() {
    let mut site = Site::new();
    site.write(".psqlrc", "\\set name from_the_start_up_file\n");
    site.write("echo.sql", "\\echo :name\n");
    // The file is read only by a psql without the seed's `PSQLRC`.
    let script = "export HOME=$PWD\ntest \"$(env -u PSQLRC psql -f echo.sql)\" = from_the_start_up_file\n\
                  test \"$(psql -f echo.sql)\" = :name";
    site.ok(&format!("it = {{ type = 'script', script = '''{script}''' }}")).await;
}

fn csv(rest: &str) -> String {
    format!("it = {{ type = 'csv-file', path = 't.csv', table = {{ schema = 'public', table = 'My Table' }}{rest} }}")
}

const TABLE: &str = r#"create table "My Table" (id int primary key, "a""b" text default 'none', at date)"#;

#[tokio::test]
async fn a_csv_file_names_its_columns_in_any_order_and_may_leave_some_out() {
    let mut site = Site::new();
    site.ok(&statement(TABLE)).await;
    site.write("t.csv", "at,id\n2024-02-29,1\n,2\n");
    site.ok(&csv("")).await;
    site.write("u.csv", "\"a\"\"b\";id\r\n\"x;\"\"y\"\"\nz\";3\r\n");
    site.ok(&csv(", delimiter = ';'").replace("t.csv", "u.csv")).await;
    let rows =
        r#"select string_agg(id || ':' || "a""b" || ':' || coalesce(at::text, '-'), '|' order by id) from "My Table""#;
    assert_eq!(site.value(rows).await, "1:none:2024-02-29|2:none:-|3:x;\"y\"\nz:-");
}

#[tokio::test]
async fn an_error_of_a_csv_file_has_its_line() {
    let mut site = Site::new();
    site.ok(&statement(TABLE)).await;
    site.write("t.csv", "id,at\n1,2024-01-01\n2,never\n");
    let error = site.failed(&csv("")).await;
    assert!(
        error.starts_with(
            "seed \"it\" failed\ncaused by: failed to load t.csv:3\ncaused by: invalid input syntax for type date"
        ),
        "{error}"
    );
    assert!(error.contains("column at: \"never\""), "{error}");
    site.write("t.csv", "id,ta\n1,2024-01-01\n");
    assert_eq!(
        site.failed(&csv("")).await,
        "seed \"it\" failed\ncaused by: failed to load t.csv:1: the table public.My Table has no column \"ta\", it has id, a\"b, at"
    );
    assert_eq!(site.value(r#"select count(*) from "My Table""#).await, "0");
    let missing = site.failed(&csv("").replace("My Table", "no")).await;
    assert!(
        missing.contains("caused by: failed to load t.csv\ncaused by: relation \"public.no\" does not exist"),
        "{missing}"
    );
}

#[tokio::test]
async fn loading_a_big_csv_file_reports_progress() {
    let mut site = Site::new();
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
async fn a_csv_file_that_changed_after_it_was_hashed_is_refused() {
    let mut site = Site::new();
    site.ok(&statement(TABLE)).await;
    site.write("t.csv", "id\n1\n");
    let path = site.project().join("t.csv");
    let change = Observer::new(move |step| {
        if matches!(step, Step::Seed { position: 2, .. }) {
            std::fs::write(&path, "id\n2\n").unwrap();
        }
    });
    let error = site.definition(&csv("")).observer(change).start().await.unwrap_err();
    assert!(
        error_chain(&error).ends_with("seed \"it\" failed\ncaused by: t.csv changed while it was in use"),
        "{}",
        error_chain(&error)
    );
    assert_eq!(site.value(r#"select count(*) from "My Table""#).await, "0");
}

#[tokio::test]
async fn scripts_and_commands_connect_to_the_server_that_is_seeded() {
    let mut site = Site::new();
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
        error.starts_with("seed \"it\" failed\ncaused by: the script ended with exit status: 1; its last words:\n"),
        "{error}"
    );
    assert!(error.contains("column \"nope\" does not exist"), "{error}");
}

/// The file is far larger than the memory that loading it may take.
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
    let mut site = Site::new();
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

/// psql does not open a dump itself, so its content goes through this process.
#[tokio::test]
async fn a_big_plain_dump_is_never_whole_in_memory() {
    load_rows_of_a_kilobyte(|file| file).await;
}

#[tokio::test]
async fn a_big_compressed_dump_is_never_whole_in_memory() {
    load_rows_of_a_kilobyte(|file| flate2::write::GzEncoder::new(file, flate2::Compression::fast())).await;
}

async fn load_rows_of_a_kilobyte<W: std::io::Write>(compress: impl Fn(std::fs::File) -> W) {
    // Enough to exceed the limit below, but not more than a debug build decompresses in a few seconds.
    let rows = 100_000;
    let mut site = Site::new();
    let file = compress(std::fs::File::create(site.project().join("t.sql")).unwrap());
    write_sql(std::io::BufWriter::with_capacity(1 << 20, file), rows);
    let before = peak_memory();
    let begin = Instant::now();
    site.ok("it = { type = 'dump', path = 't.sql' }").await;
    let grown = peak_memory() - before;
    println!("{rows} rows: {:?}, {grown} kB more than before", begin.elapsed());
    assert!(grown < 64 * 1024, "{grown} kB");
    assert_eq!(site.value("select count(*) from t").await, (rows + 1).to_string());
}

fn write_sql(mut file: impl std::io::Write, rows: usize) {
    writeln!(file, "-- A table\ncreate unlogged table t (id int, text text);\ncopy t from stdin;").unwrap();
    let text = "x".repeat(1000);
    (0..rows).for_each(|id| writeln!(file, "{id}\t{text}").unwrap());
    writeln!(file, "\\.\ninsert into t values (-1, 'a last one');").unwrap();
}

/// Returns the peak memory of this process, in kB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
