//! All types of seeds on every backend, and the data that they leave.

use ociman::{ExecSpec, Kind};
use pg_ephemeral_core::StartError;
use pg_ephemeral_core::progress::Step;

use super::{TestProject, dump, error_chain, git, value};

const RENTAL: [(&str, &str); 4] = [
    ("tables.sql", include_str!("../../../../examples/rental/tables.sql")),
    ("functions.sql", include_str!("../../../../examples/rental/functions.sql")),
    ("views.sql", include_str!("../../../../examples/rental/views.sql")),
    ("data.sql", include_str!("../../../../examples/rental/data.sql")),
];

/// Returns the seeds of the rental shop. `scale` 1 gives 2 MB as SQL, 57 gives 100 MB.
pub(crate) fn rental(ground: &TestProject, scale: usize) -> String {
    let mut seeds = format!(
        "scale = {{ type = \"sql-statement\", statement = \"alter role postgres set rental.scale = '{scale}'\" }}\n"
    );
    for (name, text) in RENTAL {
        ground.write(name, text);
        let seed = name.trim_end_matches(".sql");
        seeds += &format!("{seed} = {{ type = \"sql-file\", path = \"{name}\" }}\n");
    }
    seeds
}

/// Returns one seed of each type that runs on every backend.
fn every_form(ground: &TestProject) -> String {
    ground.write("schema.sql", "create table item (id int primary key, name text, price numeric default 1.50);\n");
    ground.write("old.sql", "insert into item values (1, 'from an old revision');\n");
    git(ground, &["init", "--quiet"]);
    git(ground, &["add", "."]);
    git(ground, &["commit", "--quiet", "--message", "first"]);
    git(ground, &["tag", "v1"]);
    ground.write("old.sql", "this is no SQL any more");
    ground.write("items.csv", "name;id\n\"a \"\"quoted\"\"; name\";2\n;3\n\"two\nlines\";4\n");
    ground.write("tool", "#!/bin/sh\nexec psql -qX -v ON_ERROR_STOP=1 -c \"insert into item values ($1, '$2')\"\n");
    let mut permissions = std::fs::metadata(ground.project().join("tool")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(ground.project().join("tool"), permissions).unwrap();
    r#"
schema = { type = "sql-file", path = "schema.sql" }
old = { type = "sql-file", path = "old.sql", git_revision = "v1" }
rows = { type = "csv-file", path = "items.csv", table = { schema = "public", table = "item" }, delimiter = ";" }
statement = { type = "sql-statement", statement = "insert into item values (5, 'statement'); vacuum item; create index concurrently on item (name)" }
script = { type = "script", script = "test -e schema.sql\necho insert into item values \\(6, \\'script\\'\\) | psql -qX -v ON_ERROR_STOP=1" }
command = { type = "command", command = "./tool", arguments = ["7", "a command's own"] }
"#
    .replace("a command's own", "of a command")
}

pub(crate) async fn each_type_of_seed_runs_once(ground: TestProject) {
    let seeds = every_form(&ground);
    for expected in [vec![1, 2, 3, 4, 5, 6], vec![]] {
        let server = ground.start(&seeds).await;
        assert_eq!(ground.applied(), expected);
        let rows = "select string_agg(id || '=' || coalesce(name, 'null') || '@' || price, '|' order by id) from item";
        let expected = "1=from an old revision@1.50|2=a \"quoted\"; name@1.50|3=null@1.50|4=two\nlines@1.50|\
            5=statement@1.50|6=script@1.50|7=of a command@1.50";
        assert_eq!(value(&server, rows).await, expected);
        server.stop().await.unwrap();
    }
    ground.assert_nothing_runs();
}

pub(crate) async fn an_uncached_seed_and_all_later_seeds_run_at_each_boot(ground: TestProject) {
    let seeds = r#"
table = { type = "sql-statement", statement = "create table t (id int)" }
each-time = { type = "script", script = "psql -qX -c 'insert into t values (1)'", cache = { type = "none" } }
after = { type = "sql-statement", statement = "insert into t values (2)" }
"#;
    for expected in [vec![1, 2, 3], vec![2, 3], vec![2, 3]] {
        let server = ground.start(seeds).await;
        assert_eq!(ground.applied(), expected);
        assert_eq!(value(&server, "select string_agg(id::text, ',') from t").await, "1,2");
        server.stop().await.unwrap();
    }
    ground.populate(seeds).await;
    assert!(ground.applied().is_empty());
    assert_eq!(ground.layers().len(), 2);
}

pub(crate) async fn the_output_of_a_key_program_decides_whether_a_seed_runs_again(ground: TestProject) {
    let seeds = r#"
table = { type = "sql-statement", statement = "create table t (v text)" }
by-script = { type = "script", script = "psql -qX -c \"insert into t values ('$(cat one)')\"", cache = { type = "key-script", script = "cat one" } }
by-command = { type = "command", command = "sh", arguments = ["-ec", "psql -qX -c \"insert into t values ('$(cat two)')\""], cache = { type = "key-command", command = "cat", arguments = ["two"] } }
"#;
    let rounds: [(&str, &str, &[usize]); 4] =
        [("a", "b", &[1, 2, 3]), ("a", "b", &[]), ("a", "c", &[3]), ("x", "c", &[2, 3])];
    for (one, two, expected) in rounds {
        ground.write("one", one);
        ground.write("two", two);
        let server = ground.start(seeds).await;
        assert_eq!(ground.applied(), expected);
        assert_eq!(value(&server, "select string_agg(v, ',') from t").await, format!("{one},{two}"));
        server.stop().await.unwrap();
    }
}

/// A setting that preloads a library that is in no image; a container script installs it.
const LIBRARY: &str = "shared_preload_libraries=acme";
const INSTALL_LIBRARY: &str = "cd /usr/lib/postgresql/*/lib\ncp auto_explain.so acme.so\n";

const CONTAINER_SCRIPTS: &str = r#"
first = { type = "container-script", script = "touch /first\ntest \"$(id -u)\" = 0" }
table = { type = "sql-statement", statement = "create table t as select 1 as id" }
second = { type = "container-script", script = "test -e /first\necho words >/second" }
row = { type = "sql-statement", statement = "insert into t values (2)" }
"#;

pub(crate) async fn container_scripts_change_the_image_between_seeds(ground: TestProject) {
    for expected in [vec![1, 2, 3, 4], vec![]] {
        let server = ground.start(CONTAINER_SCRIPTS).await;
        assert_eq!(ground.applied(), expected);
        assert_eq!(value(&server, "select sum(id) from t").await, "3");
        let output = server.exec(ExecSpec::new(["cat", "/first", "/second"]), b"").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "words\n");
        server.stop().await.unwrap();
    }
    assert_eq!(ground.layers().len(), 5);
    ground.assert_nothing_runs();
}

pub(crate) async fn a_container_script_installs_files_and_a_library_that_later_servers_load(ground: TestProject) {
    let script = format!("cat lists/words ours >/words\n{INSTALL_LIBRARY}");
    let seeds = format!(
        "install = {{ type = 'container-script', files = ['./lists/words', '../ours'], script = '''{script}''' }}\n\
         words = {{ type = 'sql-statement', statement = \"create table words (word text); copy words from '/words'\" }}\n"
    );
    ground.write("../ours", [b'u', b's']);
    let shown = "select string_agg(word, ' ') || current_setting('shared_preload_libraries') from words";
    for (listed, expected) in [("we\n", vec![1, 2]), ("they\n", vec![1, 2])] {
        ground.write("lists/words", listed);
        let server = ground.start_with(&seeds, LIBRARY).await;
        assert_eq!(ground.applied(), expected);
        assert_eq!(value(&server, shown).await, format!("{} usacme", listed.trim()));
        let left = server.exec(ExecSpec::new(["ls", "/tmp"]), b"").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&left.stdout), "", "in the layer");
        server.stop().await.unwrap();
    }
    // A change of the preloaded libraries does not run the container script again.
    let server = ground.start_with(&seeds, "shared_preload_libraries=acme,pg_stat_statements").await;
    assert_eq!(ground.applied(), [2]);
    server.stop().await.unwrap();
    std::fs::remove_file(ground.project().join("lists/words")).unwrap();
    let text = error_chain(&ground.failed(&seeds).await);
    assert!(
        text.contains("failed to read seed \"install\"") && text.contains("no file matches \"./lists/words\""),
        "{text}"
    );
}

pub(crate) async fn a_container_script_after_an_uncached_seed_runs_at_each_boot(ground: TestProject) {
    let script = format!("test \"$(id -u)\" = 0\ncat words >/words\n{INSTALL_LIBRARY}");
    let seeds = format!(
        r#"
table = {{ type = "sql-statement", statement = "create unlogged table t as select 1 as id" }}
row = {{ type = "script", script = "psql -qc 'insert into t values (2)'", cache = {{ type = "none" }} }}
words = {{ type = "container-script", files = ["words"], script = '''{script}''' }}
read = {{ type = "sql-statement", statement = "create table words (word text); copy words from '/words'" }}
"#
    );
    ground.write("words", "words\n");
    let shown = "select sum(id) || (select word from words) || current_setting('shared_preload_libraries') from t";
    for expected in [vec![1, 2, 3, 4], vec![2, 3, 4]] {
        let server = ground.start_with(&seeds, LIBRARY).await;
        assert_eq!(ground.applied(), expected);
        assert_eq!(value(&server, shown).await, "3wordsacme");
        server.stop().await.unwrap();
    }
    let failing = seeds.replace("test \"", "echo words of farewell; test 1 = 2; test \"");
    let text = error_chain(&ground.failed(&failing).await);
    assert!(text.contains("seed \"words\" failed") && text.contains("words of farewell"), "{text}");
    assert_eq!(ground.layers().len(), 2);
    ground.assert_nothing_runs();
}

pub(crate) async fn a_container_script_on_the_host_is_an_error_before_anything_starts(ground: TestProject) {
    let error = ground.failed(CONTAINER_SCRIPTS).await;
    assert!(matches!(error, StartError::NoImageForScript { .. }), "{}", error_chain(&error));
    assert!(error_chain(&error).contains("seed \"first\""), "{}", error_chain(&error));
    assert!(error.hint().unwrap().contains("docker or podman"));
    assert_eq!(ground.count(&Step::Initialise), 0);
}

pub(crate) async fn the_rental_shop_is_unchanged_when_booted_from_its_layers(ground: TestProject) {
    let seeds = rental(&ground, 1);
    let server = ground.start(&seeds).await;
    let made = dump(&server).await;
    server.stop().await.unwrap();
    let again = ground.dump(&seeds).await;
    assert!(ground.applied().is_empty());
    assert!(made.len() > 1_500_000, "{} bytes", made.len());
    super::assert_same(&made, &again);
}

/// Returns the dump of a chain whose result must be the same on every backend.
pub(crate) async fn portable_dump(ground: &TestProject) -> String {
    let seeds = every_form(ground) + &rental(ground, 1);
    ground.populate(&seeds).await;
    ground.dump(&seeds).await
}

pub(crate) async fn the_same_chain_gives_the_same_data_as_on_the_host(ground: TestProject) {
    let host = TestProject::new(Kind::Host);
    super::assert_same(&portable_dump(&host).await, &portable_dump(&ground).await);
}

pub(crate) async fn the_caller_s_time_zone_does_not_affect_times_without_a_zone(ground: TestProject) {
    let seeds = "t = { type = \"sql-statement\", statement = \"create table t as select timestamptz '2024-01-01 12:00' as at\" }\n";
    let mut command = ground.helper("start", seeds);
    let output = command.env("TZ", "Asia/Tokyo").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let server = ground.start(seeds).await;
    assert_eq!(value(&server, "select extract(epoch from at)::bigint from t").await, "1704110400");
    server.stop().await.unwrap();
}
