//! Seeds that change the superuser, the instance's database, or settings of either.

use pg_ephemeral_core::seed::ApplyError;
use pg_ephemeral_core::{Server, StartError};

use super::{TestProject, error_chain, value};

fn statement(sql: &str) -> String {
    format!("s = {{ type = \"sql-statement\", statement = \"{sql}\" }}")
}

/// Returns `true` if a new connection with the server's password works.
async fn answers(server: &Server) -> bool {
    value(server, "select 'yes'").await == "yes"
}

pub(crate) async fn a_seed_may_change_the_superuser_s_password(ground: TestProject) {
    for seeds in [
        statement("alter role postgres password 'secret'"),
        statement("alter role postgres password null"),
        r#"s = { type = "script", script = "psql -qXc \"alter role postgres password 'secret'\"" }"#.to_owned(),
        r#"s = { type = "script", script = "psql -qXc \"alter role postgres password 'secret'\"", cache = { type = "none" } }"#
            .to_owned(),
    ] {
        for _ in 0..2 {
            // The next seed connects with the password in its environment.
            let server = ground.start(&format!("{seeds}\nnext = {{ type = \"script\", script = \"psql -qXc 'select 1'\" }}")).await;
            assert!(answers(&server).await, "{seeds}");
            server.stop().await.unwrap();
        }
    }
}

pub(crate) async fn settings_of_the_superuser_and_the_database_apply_to_user_connections(ground: TestProject) {
    let settings = "create role other; \
         alter role postgres set role = other; \
         alter role postgres set search_path = nowhere; \
         alter role postgres set statement_timeout = '7s'; \
         alter role postgres set lock_timeout = '8s'; \
         alter database postgres set default_transaction_read_only = on; \
         alter database postgres set default_transaction_isolation = 'serializable'";
    let seeds = format!("{}\nnext = {{ type = \"script\", script = \"true\" }}", statement(settings));
    for _ in 0..2 {
        let server = ground.start(&seeds).await;
        let shown = "concat_ws(' ', current_user, current_setting('search_path'), current_setting('statement_timeout'), \
                     current_setting('lock_timeout'), current_setting('default_transaction_read_only'), \
                     current_setting('default_transaction_isolation'))";
        assert_eq!(value(&server, shown).await, "other nowhere 7s 8s on serializable");
        let copy = server.database().await.unwrap();
        assert!(copy.connect().await.is_ok());
        server.stop().await.unwrap();
    }
}

pub(crate) async fn the_idle_session_timeout_does_not_apply_to_connections_of_pg_ephemeral(ground: TestProject) {
    for _ in 0..2 {
        // The time-out is one millisecond.
        let server = ground.start(&statement("alter role postgres set idle_session_timeout = 1")).await;
        for _ in 0..3 {
            server.database().await.unwrap();
        }
        server.stop().await.unwrap();
    }
}

pub(crate) async fn the_error_names_a_seed_that_locks_the_superuser_out(ground: TestProject) {
    for sql in [
        "alter role postgres nologin",
        "alter role postgres valid until '2001-01-01'",
        "alter role postgres nosuperuser",
        "alter role postgres set session_preload_libraries = 'nosuchlibrary'",
        "create role other superuser login;\\n\\\\connect - other\\nalter role postgres rename to another",
        "create database other;\\n\\\\connect other\\nalter database postgres rename to another",
        "create database other;\\n\\\\connect other\\nalter database postgres allow_connections false",
    ] {
        let error = ground.failed(&statement(sql)).await;
        let text = error_chain(&error);
        assert!(text.starts_with(&format!("failed to seed instance {}", ground.instance)), "{text}");
        assert!(text.contains("after seed \"s\" the superuser can no longer log in"), "{sql}: {text}");
        let StartError::Seed { source, .. } = &error else { panic!("{error:?}") };
        let is_expected = match **source {
            ApplyError::Expired { .. } => sql.contains("valid until"),
            ApplyError::LockedOut { .. } => !sql.contains("valid until"),
            _ => false,
        };
        assert!(is_expected, "{error:?}");
        assert!(error.hint().unwrap().contains("NOLOGIN"));
        assert_eq!(ground.layers().len(), 1, "{sql}");
    }
}

pub(crate) async fn connections_over_tcp_require_a_password(ground: TestProject) {
    for _ in 0..2 {
        let server = ground.start("").await;
        let trusting = "select count(*) from pg_hba_file_rules where type <> 'local' and auth_method = 'trust'";
        assert_eq!(value(&server, trusting).await, "0");
        server.stop().await.unwrap();
    }
}

pub(crate) async fn the_error_names_a_seed_whose_configuration_prevents_the_next_start(ground: TestProject) {
    for (sql, cause) in [
        ("alter system set shared_preload_libraries = 'nosuchlibrary'", "nosuchlibrary"),
        ("alter system set hba_file = '/nonexistent/pg_hba.conf'", "/nonexistent/pg_hba.conf"),
        ("alter system set max_connections = 1", "superuser_reserved_connections"),
        (
            "do $$ begin execute format('copy (values (''nonsense'')) to %L', current_setting('hba_file')); end $$",
            "pg_hba.conf",
        ),
    ] {
        // The layer of the earlier seed is kept.
        let before = "before = { type = \"sql-statement\", statement = \"create table t (id int)\" }";
        let error = ground.failed(&format!("{before}\n{}", statement(sql))).await;
        let text = error_chain(&error);
        let first = format!("failed to start the server of instance {} again after seed \"s\"", ground.instance);
        assert!(text.starts_with(&first), "{text}");
        assert!(text.contains(cause), "{sql}: {text}");
        assert!(error.hint().unwrap().contains("ALTER SYSTEM"));
        assert_eq!(ground.layers().len(), 2, "{sql}");
    }
    ground.assert_nothing_runs();
}

pub(crate) async fn seeds_run_under_the_configuration_that_an_earlier_seed_set(ground: TestProject) {
    let configure = statement("alter system set max_connections = 37");
    let seeds = format!(
        "{configure}\nshown = {{ type = \"sql-statement\", statement = \"create table t as select current_setting('max_connections') as v\" }}"
    );
    for _ in 0..2 {
        let server = ground.start(&seeds).await;
        assert_eq!(value(&server, "select v || ' ' || current_setting('max_connections') from t").await, "37 37");
        server.stop().await.unwrap();
    }
}
