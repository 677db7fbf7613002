//! Failing seeds: the error, and which layers are kept.

use super::{TestProject, error_chain, value};

/// Returns three seeds, of which the one at `position` fails.
fn chain(ground: &TestProject, position: usize) -> String {
    let broken = |place| place == position;
    let file = if broken(2) {
        "insert into t values (2);\n\n-- two of the same\n  insert into t values (2);\n"
    } else {
        "insert into t values (2);\n"
    };
    ground.write("two.sql", file);
    let table = if broken(1) {
        "create table t (id int primary key, n nosuchtype)"
    } else {
        "create table t (id int primary key)"
    };
    let end = if broken(3) { "for i in 1 2 3; do echo line $i >&2; done\necho to the end >&2\nexit 3" } else { "true" };
    format!(
        "one = {{ type = \"sql-statement\", statement = \"{table}\" }}\n\
         two = {{ type = \"sql-file\", path = \"two.sql\" }}\n\
         three = {{ type = \"script\", script = '''\n{end}\n''' }}\n"
    )
}

pub(crate) async fn a_failing_seed_is_an_error_with_place_and_cause_and_earlier_layers_are_kept(ground: TestProject) {
    let instance = format!("failed to seed instance {}", ground.instance);
    let expected: [&[&str]; 3] = [
        &[
            "seed \"one\" failed at line 1 of its statement",
            "type \"nosuchtype\" does not exist",
            "LINE 1: create table",
        ],
        &["seed \"two\" failed at two.sql:4", "duplicate key value", "DETAIL:  Key (id)=(2) already exists."],
        &["seed \"three\" failed", "the script ended with exit status: 3", "line 3\nto the end"],
    ];
    for (position, words) in (1..).zip(expected) {
        let seeds = chain(&ground, position);
        let error = ground.failed(&seeds).await;
        let text = error_chain(&error);
        assert!(text.starts_with(&instance), "{text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is missing: {text}");
        }
        // Only the failed seed runs again.
        ground.failed(&seeds).await;
        assert_eq!(ground.applied(), [position]);
        assert_eq!(ground.layers().len(), position);
    }
    let server = ground.start(&chain(&ground, 0)).await;
    assert_eq!(ground.applied(), [3]);
    assert_eq!(value(&server, "select count(*) from t").await, "1");
    server.stop().await.unwrap();
    ground.assert_nothing_runs();
}

pub(crate) async fn the_error_contains_postgresql_s_detail_hint_and_context(ground: TestProject) {
    let seeds = "s = { type = \"sql-statement\", statement = \"do $$ begin raise 'so it is' using hint = 'try that', detail = 'all of it', errcode = 'P0042'; end $$\" }";
    let text = error_chain(&ground.failed(seeds).await);
    for word in ["ERROR:  so it is", "DETAIL:  all of it", "HINT:  try that", "CONTEXT:  PL/pgSQL"] {
        assert!(text.contains(word), "{word:?} is missing: {text}");
    }
}

pub(crate) async fn the_error_of_a_failing_container_script_shows_its_last_output(ground: TestProject) {
    let seeds = r#"
table = { type = "sql-statement", statement = "create table t ()" }
image = { type = "container-script", script = "echo words of farewell\nfalse\necho not reached" }
"#;
    for applied in [vec![1, 2], vec![2]] {
        let text = error_chain(&ground.failed(seeds).await);
        assert!(text.contains("seed \"image\" failed") && text.contains("words of farewell"), "{text}");
        assert!(text.contains(&ground.instance), "{text}");
        assert!(!text.contains("not reached"), "{text}");
        assert_eq!(ground.applied(), applied);
    }
}

/// A seed kills the server that it runs on.
pub(crate) async fn a_server_that_dies_during_a_seed_is_an_error_and_leaves_nothing(ground: TestProject) {
    let seeds = r#"
table = { type = "sql-statement", statement = "create table t ()" }
kill = { type = "sql-statement", statement = "create table pid (line text); copy pid from program 'kill -QUIT $(head -n1 postmaster.pid); sleep 5'" }
"#;
    let text = error_chain(&ground.failed(seeds).await);
    assert!(text.contains("seed \"kill\" failed"), "{text}");
    assert_eq!(ground.layers().len(), 2);
}
