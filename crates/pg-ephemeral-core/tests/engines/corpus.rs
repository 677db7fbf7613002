//! Seeds of SQL files on an engine do what psql does in the container. What differs between backends is how psql gets the files
//! and reaches the server; the host's tests have every file, these have what depends on that, and one or more of each kind.

use ociman::Kind;

use crate::corpus_cases::{FAILING, failing_files_stop_both_at_the_same_place, seeds_leave_what_psql_leaves};
use crate::layers::Ground;

/// All files take minutes on an engine: two servers each. CI runs these.
const FILES: [&str; 10] = [
    "combined/includes-and-conditions.sql",
    "combined/init-script.sql",
    "combined/lost-work-at-the-end.sql",
    "commands/connect-as-role.sql",
    "commands/copy-command.sql",
    "commands/include.sql",
    "copy/binary-rows.sql",
    "dumps/compressed.sql.gz",
    "login/own-password-and-more.sql",
    "text/nul-byte.sql",
];

const MORE_FILES: [&str; 20] = [
    "combined/errors-around-copy.sql",
    "combined/settings-for-the-next-login.sql",
    "commands/connect-odd-names.sql",
    "commands/gexec.sql",
    "commands/include-in-a-statement.sql",
    "commands/include-in-a-transaction.sql",
    "commands/quit.sql",
    "commands/shell.sql",
    "commands/variables.sql",
    "copy/rows-to-the-end.sql",
    "copy/text-rows.sql",
    "dumps/latin1.sql",
    "dumps/name with a space; and 'quotes'.sql",
    "dumps/plain.sql",
    "login/own-database-read-only.sql",
    "objects/sort-order.sql",
    "session/role-left-set.sql",
    "text/long-line.sql",
    "text/no-semicolon-no-line-end.sql",
    "transactions/not-in-a-block.sql",
];

/// The failing files whose place or cause could be told otherwise than on the host.
const FAILING_FILES: [&str; 5] = ["copy-command", "copy-row", "in-a-nested-file", "missing-include", "unknown-column"];

async fn leave_what_psql_leaves(kind: Kind, files: &[&str]) {
    let files: Vec<_> = files.iter().map(|file| (*file).to_owned()).collect();
    seeds_leave_what_psql_leaves(Ground::new(kind), &files).await;
}

async fn failing_files(kind: Kind) {
    let chosen: Vec<_> = FAILING.iter().filter(|failing| FAILING_FILES.contains(&failing.name)).collect();
    assert_eq!(chosen.len(), FAILING_FILES.len());
    failing_files_stop_both_at_the_same_place(Ground::new(kind), &chosen).await;
}

mod podman {
    use ociman::Kind;

    #[tokio::test]
    async fn files_of_the_corpus_leave_what_psql_leaves() {
        super::leave_what_psql_leaves(Kind::Podman, &super::FILES).await;
    }

    #[tokio::test]
    async fn a_failing_file_is_an_error_that_names_what_psql_names() {
        super::failing_files(Kind::Podman).await;
    }

    /// What CI leaves to the host.
    mod also {
        use ociman::Kind;

        #[tokio::test]
        async fn more_files_of_the_corpus_leave_what_psql_leaves() {
            super::super::leave_what_psql_leaves(Kind::Podman, &super::super::MORE_FILES).await;
        }
    }
}

/// What CI runs on one engine only.
mod docker {
    mod also {
        use ociman::Kind;

        #[tokio::test]
        async fn files_of_the_corpus_leave_what_psql_leaves() {
            super::super::leave_what_psql_leaves(Kind::Docker, &super::super::FILES).await;
            super::super::leave_what_psql_leaves(Kind::Docker, &super::super::MORE_FILES).await;
        }

        #[tokio::test]
        async fn a_failing_file_is_an_error_that_names_what_psql_names() {
            super::super::failing_files(Kind::Docker).await;
        }
    }
}
