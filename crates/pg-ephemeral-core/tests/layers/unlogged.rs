//! Layers are complete and intact: they contain UNLOGGED relations, and have no corrupt page.

use pg_ephemeral_core::progress::Step;

use super::{TestProject, tool, value};

pub(crate) async fn unlogged_relations_keep_their_rows(ground: TestProject) {
    let seeds = r#"
plain = { type = "sql-statement", statement = "create unlogged table a as select g from generate_series(1, 100) g" }
other = { type = "sql-statement", statement = "insert into a values (101)" }
function = { type = "sql-statement", statement = "create function f() returns void language plpgsql as $$ begin execute 'create unlogged table b as select 7 as x'; end $$; select f()" }
second = { type = "sql-statement", statement = "create database second" }
inside = { type = "script", script = "psql -qX -d second -v ON_ERROR_STOP=1 -c 'create unlogged table c as select 1 as y'" }
closed = { type = "sql-statement", statement = "alter database second allow_connections false" }
after = { type = "sql-statement", statement = "create table d as select 1 as z" }
"#;
    ground.populate(seeds).await;
    ground.assert_nothing_runs();
    let server = ground.start(seeds).await;
    assert!(ground.applied().is_empty());
    let query = "(select count(*) from a) || ',' || (select x from b) || ',' || (select relpersistence::text from pg_class where relname = 'a')";
    assert_eq!(value(&server, query).await, "101,7,u");
    let client = server.connect().await.unwrap();
    client.batch_execute("alter database second allow_connections true").await.unwrap();
    assert_eq!(tool(&server, "psql", &["-qXAtd", "second", "-c", "select y from c"]).await.trim(), "1");
    server.stop().await.unwrap();
}

pub(crate) async fn unlogged_relations_in_another_tablespace_keep_their_rows(ground: TestProject) {
    let seeds = r#"
folder = { type = "container-script", script = "mkdir /space && chown postgres /space" }
space = { type = "sql-statement", statement = "create tablespace space location '/space'" }
table = { type = "sql-statement", statement = "create unlogged table a tablespace space as select g from generate_series(1, 100) g" }
"#;
    ground.populate(seeds).await;
    let server = ground.start(seeds).await;
    assert_eq!(value(&server, "select count(*) from a").await, "100");
    server.stop().await.unwrap();
}

/// Enables checksums. The seed stops the cluster cleanly first, because `pg_checksums` requires that.
const CHECKSUMS: &str = r#"
checksums = { type = "container-script", script = '''
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
echo 'select 1' | as_postgres postgres --single -D "$PGDATA" postgres >/dev/null
as_postgres pg_checksums --enable --no-sync -D "$PGDATA"
''' }
"#;

pub(crate) async fn a_layer_committed_from_a_running_server_has_no_corrupt_page(ground: TestProject) {
    let seeds = CHECKSUMS.to_owned() + &super::forms::rental(&ground, 1);
    ground.populate(&seeds).await;
    assert_eq!(ground.count(&Step::Run), 1, "the layers are taken without a stop");
    check(&ground, &seeds, "on").await;
}

pub(crate) async fn a_layer_of_the_host_has_no_corrupt_page(ground: TestProject) {
    let seeds = super::forms::rental(&ground, 1);
    ground.populate(&seeds).await;
    check(&ground, &seeds, "off").await;
}

async fn check(ground: &TestProject, seeds: &str, checksums: &str) {
    let server = ground.start(seeds).await;
    assert!(ground.applied().is_empty());
    assert_eq!(value(&server, "select current_setting('data_checksums')").await, checksums);
    tool(&server, "pg_amcheck", &["--all", "--install-missing", "--heapallindexed", "--parent-check"]).await;
    let failures = "select coalesce(sum(checksum_failures), 0) from pg_stat_database";
    assert_eq!(value(&server, failures).await, "0");
    server.stop().await.unwrap();
}
