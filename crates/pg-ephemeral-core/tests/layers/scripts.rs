//! SQL seeds on every backend. psql runs them with all files that they include, and these files are part of the key.

use std::io::Write;

use super::{TestProject, error_chain, git, value};

pub(crate) async fn a_script_runs_again_when_a_file_that_it_includes_changes(ground: TestProject) {
    ground.write(
        "db/schema.sql",
        "create table part (name text);\n\
         \\ir tables/first.sql\n\
         \\i db/second.sql\n\
         \\copy part from 'db/my rows.csv' with (format csv)\n",
    );
    ground.write("db/tables/first.sql", "insert into part values ('first');\n\\ir ../third.sql\n");
    ground.write("db/second.sql", "insert into part values ('second');\n");
    ground.write("db/third.sql", "insert into part values ('third');\n");
    ground.write("db/my rows.csv", "row\n");
    let seeds = r#"s = { type = "sql-file", path = "db/schema.sql" }"#;
    let all = "select string_agg(name, ' ' order by name) from part";
    let server = ground.start(seeds).await;
    assert_eq!(value(&server, all).await, "first row second third");
    server.stop().await.unwrap();
    for (file, content, expected) in [
        ("db/third.sql", "insert into part values ('other third');\n", "first other third row second"),
        ("db/my rows.csv", "other row\n", "first other row other third second"),
    ] {
        ground.start(seeds).await.stop().await.unwrap();
        assert_eq!(ground.applied(), Vec::<usize>::new());
        ground.write(file, content);
        let server = ground.start(seeds).await;
        assert_eq!(ground.applied(), [1], "{file}");
        assert_eq!(value(&server, all).await, expected);
        server.stop().await.unwrap();
    }
    ground.assert_nothing_runs();
}

pub(crate) async fn an_error_in_an_included_file_names_that_file_and_its_line(ground: TestProject) {
    ground.write("db/schema.sql", "create table t (id int primary key);\n\\ir deep/rows.sql\n");
    ground.write("db/deep/rows.sql", "insert into t values (1);\n\ninsert into t\n  values (1);\n");
    let text = error_chain(&ground.failed(r#"s = { type = "sql-file", path = "db/schema.sql" }"#).await);
    let expected = format!(
        "failed to seed instance {}\n\
         caused by: seed \"s\" failed at db/deep/rows.sql:4\n\
         caused by: ERROR:  duplicate key value violates unique constraint \"t_pkey\"\n\
         DETAIL:  Key (id)=(1) already exists.",
        ground.instance
    );
    assert_eq!(text, expected);
    let text =
        error_chain(&ground.failed(r#"s = { type = "sql-statement", statement = "select 1;\n\\i gone.sql" }"#).await);
    assert!(text.contains("seed \"s\" failed at line 2 of its statement"), "{text}");
    assert!(text.contains("gone.sql: No such file or directory"), "{text}");
}

pub(crate) async fn compressed_scripts_and_scripts_of_a_git_revision_can_include_files(ground: TestProject) {
    let script = "create table t as select 'script' as name;\n\\ir rows.sql\n";
    ground.write("old/rows.sql", "insert into t values ('rows of the revision');\n");
    ground.write("old/script.sql", script);
    git(&ground, &["init", "--quiet"]);
    git(&ground, &["add", "."]);
    git(&ground, &["commit", "--quiet", "--message", "first"]);
    ground.write("old/rows.sql", "this is no SQL any more");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(script.as_bytes()).unwrap();
    ground.write("new/script.sql.gz", gzip.finish().unwrap());
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ground.write("new/script.sql.zst", ruzstd::encoding::compress_to_vec(script.as_bytes(), level));
    ground.write("new/rows.sql", "insert into t values ('rows');\n");
    let all = "select string_agg(name, ', ' order by name desc) from t";
    for (seed, expected) in [
        (r#"path = "old/script.sql", git_revision = "HEAD""#, "script, rows of the revision"),
        (r#"path = "new/script.sql.gz""#, "script, rows"),
        (r#"path = "new/script.sql.zst""#, "script, rows"),
    ] {
        let server = ground.start(&format!(r#"s = {{ type = "sql-file", {seed} }}"#)).await;
        assert_eq!(value(&server, all).await, expected, "{seed}");
        server.stop().await.unwrap();
    }
}

pub(crate) async fn a_script_can_connect_to_other_databases_and_as_other_roles(ground: TestProject) {
    ground.write(
        "s.sql",
        "create role owner login;\n\
         create database shop owner owner;\n\
         \\connect shop owner\n\
         create table shelf (id int);\n\
         \\connect postgres postgres\n\
         create table here (id int);\n\
         alter database postgres set search_path = nowhere;\n",
    );
    let seeds = r#"
s = { type = "sql-file", path = "s.sql" }
template = { type = "sql-statement", statement = "create database copy template postgres" }
check = { type = "sql-statement", statement = "\\connect shop\ndo $$ begin assert (select tableowner = 'owner' from pg_tables where tablename = 'shelf'); end $$" }
"#;
    let server = ground.start(seeds).await;
    assert_eq!(value(&server, "select count(*) from public.here").await, "0");
    assert_eq!(value(&server, "current_setting('search_path')").await, "nowhere");
    server.stop().await.unwrap();
}

pub(crate) async fn files_that_psql_reads_and_writes_in_a_container_are_in_no_layer(ground: TestProject) {
    ground.write("rows.csv", "1\n");
    let seeds = r#"s = { type = "sql-statement", statement = """
create table t (a int);
\\copy t from 'rows.csv'
\\copy t to 'out.csv'
""" }"#;
    for _ in 0..2 {
        let server = ground.start(seeds).await;
        let listed = server.exec(ociman::ExecSpec::new(["ls", "-A", "/tmp"]), b"").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "");
        server.stop().await.unwrap();
    }
}

pub(crate) async fn psql_in_a_container_has_the_server_s_version(ground: TestProject) {
    // On Debian `/usr/bin/psql` is a script that chooses a version and is slow, and comes first on `PATH`.
    let seeds = r#"s = { type = "sql-statement", statement = """
\\set client `dirname "$(command -v psql)"`
\\set server `dirname "$(command -v postgres)"`
create table folders as select :'client' as client, :'server' as server;
""" }"#;
    let server = ground.start(seeds).await;
    assert_eq!(value(&server, "select client = server and client <> '' from folders").await, "true");
    server.stop().await.unwrap();
}

pub(crate) async fn apply_sql_runs_psql_on_a_running_server(ground: TestProject) {
    let server = ground.start("").await;
    let sql = "\\set name t\ncreate table :name (a int);\ncopy t from stdin;\n1\n2\n\\.\nselect 'insert into t values (3)' \\gexec\n";
    server.apply_sql(sql).await.unwrap();
    assert_eq!(value(&server, "select sum(a) from t").await, "6");
    let error = server.apply_sql("select 1;\nselect nope;").await.unwrap_err();
    assert!(
        error_chain(&error).starts_with("SQL failed at line 2 of its statement\ncaused by: ERROR:  "),
        "{}",
        error_chain(&error)
    );
    server.stop().await.unwrap();
    ground.assert_nothing_runs();
}
