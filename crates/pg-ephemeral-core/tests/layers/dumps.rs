//! Dumps in every format and on every backend: seeds restore what pg_dump and pg_dumpall wrote.

use std::process::Command;

use pg_ephemeral_core::Server;
use pg_ephemeral_core::host_image::Installations;

use super::{TestProject, assert_same, dump, error_chain, tool, value};

/// A database with every kind of object that a dump may contain.
const SHOP: &str = r#"
create role keeper;
create role "The Reader";
create schema shop authorization keeper;
create type shop.size as enum ('small', 'large');
create table shop.shelf (id int primary key, label text default 'it''s; here', size shop.size);
insert into shop.shelf select n, repeat('x', n), 'large' from generate_series(1, 500) as n;
create table shop.item (id serial primary key, shelf int references shop.shelf, at timestamptz default '2024-02-29 12:00+00');
insert into shop.item (shelf) select n from generate_series(1, 500) as n;
create index on shop.item (shelf);
create view shop.labels as select label from shop.shelf;
create function shop.twice(n int) returns int language sql as $$ select n * 2; -- \. $$;
alter table shop.shelf owner to keeper;
grant select on shop.item to "The Reader";
select lo_from_bytea(4711, '\xdeadbeef');
comment on table shop.item is 'line
break';
"#;

const ROLES: &str =
    r#"roles = { type = "sql-statement", statement = "create role keeper; create role \"The Reader\"" }"#;

/// Returns the seed for the server that dumps are taken from.
fn shop(ground: &TestProject) -> &'static str {
    ground.write("shop.sql", SHOP);
    r#"shop = { type = "sql-file", path = "shop.sql" }"#
}

/// Dumps the database of a server into the project folder, by a program of this machine.
async fn dump_to(ground: &TestProject, server: &Server, name: &str, program: &str, arguments: &[&str]) {
    let folder = server.programs().map_or_else(
        || {
            let installations = Installations::find(&pg_ephemeral_core::Folders::at(ground.state())).unwrap();
            installations.all()[0].bin.clone()
        },
        std::path::Path::to_owned,
    );
    let mut command = Command::new(folder.join(program));
    command.args(arguments).arg("--file").arg(ground.project().join(name));
    for variable in server.pg_env() {
        command.env(&variable.name, variable.expose());
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) async fn a_dump_in_any_format_restores_the_same_database(ground: TestProject) {
    let server = ground.start(shop(&ground)).await;
    let expected = dump(&server).await;
    for format in ["custom", "directory", "tar", "plain"] {
        dump_to(&ground, &server, &format!("dump.{format}"), "pg_dump", &["--format", format]).await;
    }
    dump_to(&ground, &server, "inserts", "pg_dump", &["--inserts"]).await;
    dump_to(&ground, &server, "create", "pg_dump", &["--create", "--clean"]).await;
    server.stop().await.unwrap();
    let mut gzip = Command::new("gzip");
    gzip.args(["--keep", "dump.custom", "dump.plain"]).current_dir(ground.project());
    assert!(gzip.status().unwrap().success());
    for (file, options) in [
        ("dump.custom", ", jobs = 2"),
        ("dump.directory", ", jobs = 2"),
        ("dump.tar", ""),
        ("dump.plain", ""),
        ("dump.custom.gz", ""),
        ("dump.plain.gz", ""),
        ("inserts", ""),
        ("create", ""),
    ] {
        let seeds = format!("{ROLES}\ndump = {{ type = \"dump\", path = \"{file}\"{options} }}");
        assert_same(&ground.dump(&seeds).await, &expected);
    }
    ground.assert_nothing_runs();
}

pub(crate) async fn a_dump_of_the_whole_cluster_restores_its_roles_and_databases(ground: TestProject) {
    let seeds = format!(
        "{}\nother = {{ type = \"sql-statement\", statement = \"create database other;\\n\\\\connect other\\ncreate table t as select 1 as a; alter role postgres password 'of its own'\" }}",
        shop(&ground)
    );
    let server = ground.start(&seeds).await;
    let expected = tool(&server, "pg_dumpall", &["--no-role-passwords"]).await;
    dump_to(&ground, &server, "cluster.sql", "pg_dumpall", &[]).await;
    dump_to(&ground, &server, "clean.sql", "pg_dumpall", &["--clean", "--if-exists"]).await;
    server.stop().await.unwrap();
    let without_keys = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("restrict "));
        lines.fold(String::new(), |all, line| all + line + "\n")
    };
    for file in ["cluster.sql", "clean.sql"] {
        let server = ground.start(&format!(r#"all = {{ type = "dump", path = "{file}" }}"#)).await;
        let came_back = tool(&server, "pg_dumpall", &["--no-role-passwords"]).await;
        assert_same(&without_keys(&came_back), &without_keys(&expected));
        server.stop().await.unwrap();
    }
    let text = error_chain(&ground.failed(r#"all = { type = "sql-file", path = "cluster.sql" }"#).await);
    assert!(text.contains("ERROR:  role \"postgres\" already exists"), "{text}");
}

pub(crate) async fn a_schema_dump_used_as_a_seed_gives_the_same_schema_dump(ground: TestProject) {
    let server = ground.start(shop(&ground)).await;
    let first = server.schema_dump().await.unwrap();
    server.stop().await.unwrap();
    ground.write("s.sql", &first);
    let server = ground.start(&format!("{ROLES}\ns = {{ type = \"sql-file\", path = \"s.sql\" }}")).await;
    let text = |dump: Vec<u8>| {
        let text = String::from_utf8(dump).unwrap();
        let lines = text.lines().filter(|line| !line.contains("restrict "));
        lines.fold(String::new(), |all, line| all + line + "\n")
    };
    assert_same(&text(server.schema_dump().await.unwrap()), &text(first));
    server.stop().await.unwrap();
}

pub(crate) async fn what_a_dump_needs_and_the_server_lacks_is_an_error_and_owners_can_be_dropped(ground: TestProject) {
    let server = ground.start(shop(&ground)).await;
    dump_to(&ground, &server, "dump", "pg_dump", &["--format=custom"]).await;
    dump_to(&ground, &server, "dump.sql", "pg_dump", &[]).await;
    server.stop().await.unwrap();
    for (file, hint) in [("dump", "owner = \"drop\""), ("dump.sql", "create the roles in an earlier seed")] {
        let error = ground.failed(&format!(r#"d = {{ type = "dump", path = "{file}" }}"#)).await;
        let text = error_chain(&error);
        let missing = "the dump needs roles that the server does not have: The Reader, keeper";
        assert!(text.contains(missing), "{text}");
        assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
    }
    let dropped = r#"d = { type = "dump", path = "dump", owner = "drop" }"#;
    let server = ground.start(dropped).await;
    assert_eq!(value(&server, "select tableowner from pg_tables where tablename = 'shelf'").await, "postgres");
    assert_eq!(value(&server, "select count(*) from shop.item").await, "500");
    server.stop().await.unwrap();
    // The number of jobs is not part of the key; the sections to restore are.
    let server = ground.start(&dropped.replace(" }", ", jobs = 2 }")).await;
    assert_eq!(ground.applied(), Vec::<usize>::new());
    server.stop().await.unwrap();
    let server = ground.start(&dropped.replace(" }", r#", sections = ["pre-data"] }"#)).await;
    assert_eq!(ground.applied(), [1]);
    assert_eq!(value(&server, "select count(*) from shop.item").await, "0");
    server.stop().await.unwrap();

    let mut newer = std::fs::read(ground.project().join("dump")).unwrap();
    // The minor version of the format follows the magic bytes and the major version.
    newer[6] = 200;
    ground.write("newer", newer);
    let error = ground.failed(r#"d = { type = "dump", path = "newer" }"#).await;
    assert!(error_chain(&error).contains("newer than the server's pg_restore"), "{}", error_chain(&error));
    ground.write("extension.sql", "CREATE EXTENSION IF NOT EXISTS nosuchthing WITH SCHEMA public;\n");
    let error = ground.failed(r#"d = { type = "dump", path = "extension.sql" }"#).await;
    assert!(
        error_chain(&error).contains("needs the extension nosuchthing, which is not installed"),
        "{}",
        error_chain(&error)
    );
    assert!(error.hint().unwrap().contains("container-script"));
}

pub(crate) async fn unsupported_dump_options_and_archives_in_place_of_scripts_are_refused(ground: TestProject) {
    ground.write("plain.sql", "select 1;\n");
    ground.write("archive", b"PGDMP rest");
    let mut tar = vec![0; 1024];
    tar[..7].copy_from_slice(b"toc.dat");
    tar[257..262].copy_from_slice(b"ustar");
    ground.write("archive.tar", tar);
    ground.write("folder/toc.dat", "PGDMP");
    ground.write("empty/readme", "");
    for (seed, words, hint) in [
        (
            r#"type = "dump", path = "plain.sql", jobs = 2"#,
            "plain.sql is a plain dump, and `jobs` is for",
            "--format=custom",
        ),
        (
            r#"type = "dump", path = "plain.sql", owner = "drop""#,
            "`owner` is for what pg_restore reads",
            "leave the option",
        ),
        (
            r#"type = "dump", path = "archive.tar", jobs = 2"#,
            "archive.tar is a tar archive: `jobs`",
            "leave `jobs` out",
        ),
        (r#"type = "dump", path = "gone""#, "failed to open gone", ""),
        (r#"type = "dump", path = "empty""#, "empty is a folder without a file toc.dat", ""),
        (r#"type = "sql-file", path = "archive""#, "archive of pg_dump in custom format", "type = \"dump\""),
        (r#"type = "sql-file", path = "archive.tar""#, "archive of pg_dump in tar format", "type = \"dump\""),
        (r#"type = "sql-file", path = "folder""#, "archive of pg_dump in directory format", "type = \"dump\""),
    ] {
        let error = ground.failed(&format!("d = {{ {seed} }}")).await;
        assert!(error_chain(&error).contains(words), "{seed}: {}", error_chain(&error));
        assert!(error.hint().unwrap_or_default().contains(hint), "{seed}: {:?}", error.hint());
    }
}
