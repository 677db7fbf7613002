//! The files at which psql stops with an error. The seed's error must name the same place and the same cause.

use super::server::{allow_everybody, run_by_hand};
use super::{SEED, base_layers, definition, seeded};
use crate::layers::{TestProject, error_chain};

/// A file of `corpus/failing`, and what psql prints for it.
pub(crate) struct Failing {
    /// The file's name, without `.sql`.
    pub(crate) name: &'static str,
    /// psql's exit status.
    pub(crate) status: i32,
    /// The file and line that psql prints. The line is the last one of the failing statement.
    pub(crate) place: &'static str,
    /// Parts of the message, detail and hint.
    pub(crate) says: &'static [&'static str],
}

const fn failing(name: &'static str, place: &'static str, says: &'static [&'static str]) -> Failing {
    Failing { name, status: 3, place, says }
}

pub(crate) const FAILING: [Failing; 27] = [
    failing(
        "command-in-a-skipped-branch",
        "failing/command-in-a-skipped-branch.sql:4",
        &["invalid command \\frobnicate"],
    ),
    failing("connect", "failing/connect.sql:3", &["database \"nowhere\" does not exist"]),
    Failing {
        name: "connection-lost",
        status: 2,
        place: "failing/connection-lost.sql:3",
        says: &["terminating connection due to administrator command"],
    },
    failing("constraint", "failing/constraint.sql:4", &["\"item_pkey\"", "Key (id)=(1) already exists."]),
    failing(
        "copy-columns",
        "failing/copy-columns.sql:7",
        &["missing data for column \"v\"", "COPY item, line 3: \"2\""],
    ),
    failing("copy-command", "failing/copy-command.sql:4", &["failing/parts/absent.tsv: No such file or directory"]),
    failing("copy-in-a-skipped-branch", "failing/copy-in-a-skipped-branch.sql:6", &["invalid command \\."]),
    failing("copy-row", "failing/copy-row.sql:8", &["type integer: \"three\"", "COPY item, line 3, column id"]),
    failing("crlf", "failing/crlf.sql:5", &["INSERT has more expressions than target columns"]),
    failing(
        "deferred-constraint",
        "failing/deferred-constraint.sql:7",
        &["\"child_parent_id_fkey\"", "Key (parent_id)=(7) is not present in table \"parent\"."],
    ),
    failing("do-block", "failing/do-block.sql:8", &["division by zero", "inline_code_block line 4 at PERFORM"]),
    failing("encoding", "failing/encoding.sql:3", &["invalid byte sequence for encoding \"UTF8\": 0xe9"]),
    failing("gexec", "failing/gexec.sql:4", &["type integer: \"x\""]),
    failing("gset", "failing/gset.sql:4", &["no rows returned for \\gset"]),
    failing("if-without-end", "failing/if-without-end.sql:4", &["reached EOF without finding closing \\endif(s)"]),
    failing("in-a-block", "failing/in-a-block.sql:5", &["type integer: \"x\""]),
    failing("in-a-nested-file", "failing/parts/broken.sql:3", &["relation \"itm\" does not exist"]),
    failing("in-an-included-file", "failing/parts/broken.sql:3", &["relation \"itm\" does not exist"]),
    failing(
        "missing-include",
        "failing/missing-include.sql:3",
        &["failing/parts/absent.sql: No such file or directory"],
    ),
    failing(
        "not-in-a-transaction",
        "failing/not-in-a-transaction.sql:4",
        &["VACUUM cannot run inside a transaction block"],
    ),
    failing("raised", "failing/raised.sql:6", &["the number 5 is taken", "It is in use.", "Take another."]),
    failing("superuser-made-again", "failing/superuser-made-again.sql:3", &["role \"postgres\" already exists"]),
    failing("syntax-error", "failing/syntax-error.sql:5", &["syntax error at or near \"item\""]),
    failing("unclosed-quote", "failing/unclosed-quote.sql:4", &["syntax error at or near \"s\""]),
    failing("unknown-column", "failing/unknown-column.sql:5", &["column \"amout\" does not exist", "\"item.amount\""]),
    failing("unknown-command", "failing/unknown-command.sql:3", &["invalid command \\frobnicate"]),
    failing("unknown-table", "failing/unknown-table.sql:3", &["FROM-clause entry for table \"item\"", "alias \"i\""]),
];

/// Runs the files, and panics with the problems of all of them if there are any.
pub(crate) async fn failing_files_stop_both_at_the_same_place(ground: TestProject, files: &[&Failing]) {
    assert!(!files.is_empty());
    base_layers(&ground).await;
    let mut problems = Vec::new();
    for failing in files {
        problems.extend(compare(&ground, failing).await.err().map(|problem| format!("{}: {problem}", failing.name)));
    }
    ground.assert_nothing_runs();
    assert!(problems.is_empty(), "{} of {} files:\n\n{}", problems.len(), files.len(), problems.join("\n\n"));
}

async fn compare(ground: &TestProject, failing: &Failing) -> Result<(), String> {
    let file = format!("failing/{}.sql", failing.name);
    let server = definition(ground).start().await.unwrap_or_else(|error| panic!("{}", error_chain(&error)));
    allow_everybody(&server).await;
    let by_hand = run_by_hand(&server, &file).await;
    server.stop().await.unwrap();
    let place = format!("psql:{}: ", failing.place);
    let unsaid = |text: &str| failing.says.iter().find(|piece| !text.contains(**piece)).copied();
    if by_hand.status != failing.status || !by_hand.stderr.contains(&place) || unsaid(&by_hand.stderr).is_some() {
        let (status, stderr) = (by_hand.status, by_hand.stderr);
        return Err(format!("psql by hand ended with status {status}, and not as the table says:\n{stderr}"));
    }
    let error = match seeded(ground, &file).start().await {
        Ok(server) => {
            server.stop().await.unwrap();
            return Err("psql by hand failed, the seed succeeded".to_owned());
        }
        Err(error) => error_chain(&error),
    };
    let instance = ground.instance.as_str();
    let missing = [instance, SEED, failing.place].into_iter().find(|piece| !error.contains(piece));
    match missing.or_else(|| unsaid(&error)) {
        None => Ok(()),
        Some(missing) => Err(format!("the seed's error does not say {missing:?}:\n{error}")),
    }
}
