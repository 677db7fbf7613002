//! What a layer contains beside the rows: statistics for good plans, and no WAL that nobody needs.

use pg_ephemeral_core::progress::Step;

use super::{TestProject, value};

/// The first seed writes about 150 MB of WAL, and the databases grow by more than 64 MiB.
const SEEDS: &str = r#"
rows = { type = "sql-statement", statement = "create table large as select g, repeat('x', 1000) as text from generate_series(1, 60000) g; update large set g = g + 1; create table small as select 1 as a" }
other = { type = "sql-statement", statement = "create database other" }
inside = { type = "script", script = "psql -qX -d other -v ON_ERROR_STOP=1 -c 'create table there as select generate_series(1, 1000) as a'" }
last = { type = "sql-statement", statement = "create table last (a int)" }
"#;

pub(crate) async fn a_layer_has_statistics_and_no_spare_wal(ground: TestProject) {
    ground.populate(SEEDS).await;
    let starts = ground.count(&Step::Run);
    ground.forget();
    let server = ground.start(SEEDS).await;
    assert!(ground.applied().is_empty());
    let of_table =
        "select reltuples || ',' || (relallvisible = relpages and relpages > 0) from pg_class where relname = ";
    assert_eq!(value(&server, &format!("{of_table}'large'")).await, "60000,true");
    assert_eq!(value(&server, "select count(*) from pg_stats where tablename = 'large'").await, "2");
    // Autovacuum does not analyse so small a table either.
    assert_eq!(value(&server, "select count(*) from pg_stats where tablename = 'small'").await, "0");
    let there = super::tool(&server, "psql", &["-qXAtd", "other", "-c", &format!("{of_table}'there'")]).await;
    assert_eq!(there.trim(), "1000,true");
    let segments = value(&server, "select count(*) from pg_ls_waldir()").await.parse::<u32>().unwrap();
    assert!(segments <= 2, "{segments} segments of WAL");
    server.stop().await.unwrap();
    // On an engine, the seeds after the large one are applied to a server in a container of its layer.
    let expected = if ground.kind == ociman::Kind::Host { 1 } else { 2 };
    assert_eq!(starts, expected);
}
