//! Seeds of SQL files on an engine have the same result as psql in the container. Backends differ in how psql gets the
//! files and reaches the server. So only the host's tests run every file; these tests run the files that depend on that
//! difference, and at least one of each kind.

use ociman::Kind;

use crate::corpus_cases::{FAILING, failing_files_stop_both_at_the_same_place, seeds_leave_what_psql_leaves};
use crate::layers::TestProject;

/// The files that CI runs. All files would take minutes on an engine, because each needs two servers.
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

/// The failing files whose reported place or cause may differ from the host's.
const FAILING_FILES: [&str; 5] = ["copy-command", "copy-row", "in-a-nested-file", "missing-include", "unknown-column"];

async fn leave_what_psql_leaves(kind: Kind, files: &[&str]) {
    let files: Vec<_> = files.iter().map(|file| (*file).to_owned()).collect();
    seeds_leave_what_psql_leaves(TestProject::new(kind), &files).await;
}

async fn failing_files(kind: Kind) {
    let chosen: Vec<_> = FAILING.iter().filter(|failing| FAILING_FILES.contains(&failing.name)).collect();
    assert_eq!(chosen.len(), FAILING_FILES.len());
    failing_files_stop_both_at_the_same_place(TestProject::new(kind), &chosen).await;
}

mod podman {
    use ociman::Kind;

    #[tokio::test]
    async fn files_of_the_corpus_have_the_same_result_as_with_psql() {
        super::leave_what_psql_leaves(Kind::Podman, &super::FILES).await;
    }

    #[tokio::test]
    async fn the_error_of_a_failing_file_names_the_same_place_and_cause_as_psql() {
        super::failing_files(Kind::Podman).await;
    }

    /// Tests that CI runs only on the host.
    mod also {
        use ociman::Kind;

        #[tokio::test]
        async fn more_files_of_the_corpus_have_the_same_result_as_with_psql() {
            super::super::leave_what_psql_leaves(Kind::Podman, &super::super::MORE_FILES).await;
        }
    }
}

/// Tests that CI runs only on the other engine.
mod docker {
    mod also {
        use ociman::Kind;

        #[tokio::test]
        async fn files_of_the_corpus_have_the_same_result_as_with_psql() {
            super::super::leave_what_psql_leaves(Kind::Docker, &super::super::FILES).await;
            super::super::leave_what_psql_leaves(Kind::Docker, &super::super::MORE_FILES).await;
        }

        #[tokio::test]
        async fn the_error_of_a_failing_file_names_the_same_place_and_cause_as_psql() {
            super::super::failing_files(Kind::Docker).await;
        }
    }
}
