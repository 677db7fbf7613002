//! Seeds of SQL files on the host backend have the same result as psql, for every file of the corpus.

use ociman::Kind;

use crate::corpus_cases::{
    FAILING, assert_that_all_is_tested_and_explained, failing_files_stop_both_at_the_same_place, files,
    seeds_leave_what_psql_leaves,
};
use crate::layers::TestProject;

/// Defines a test for the files of each kind.
macro_rules! kinds {
    ($($name:ident: $kind:literal),+ $(,)?) => {
        /// The kinds that have a test.
        const TESTED: &[&str] = &[$($kind),+];

        $(
            #[tokio::test]
            async fn $name() {
                seeds_leave_what_psql_leaves(TestProject::new(Kind::Host), &files($kind)).await;
            }
        )+
    };
}

kinds!(
    files_with_several_features_have_the_same_result_as_with_psql: "combined",
    backslash_commands_work_as_in_psql: "commands",
    rows_of_copy_in_a_file_are_loaded_as_by_psql: "copy",
    dumps_are_restored_as_by_psql: "dumps",
    settings_for_the_next_login_apply_as_after_psql: "login",
    objects_of_all_kinds_are_made_as_by_psql: "objects",
    session_state_that_a_file_leaves_has_the_same_effect_as_with_psql: "session",
    texts_in_any_form_and_encoding_are_read_as_by_psql: "text",
    statements_form_the_same_transactions_as_in_psql: "transactions",
);

#[tokio::test]
async fn the_error_of_a_failing_file_names_the_same_place_and_cause_as_psql() {
    let all: Vec<_> = FAILING.iter().collect();
    failing_files_stop_both_at_the_same_place(TestProject::new(Kind::Host), &all).await;
}

#[test]
fn every_file_of_the_corpus_is_tested_and_begins_with_an_explanation() {
    assert_that_all_is_tested_and_explained();
    assert_eq!(TESTED, crate::corpus_cases::KINDS);
}
