//! Seeds of SQL files on the host backend do what psql does, for every file of the corpus.

use ociman::Kind;

use crate::corpus_cases::{
    FAILING, assert_that_all_is_tested_and_explained, failing_files_stop_both_at_the_same_place, files,
    seeds_leave_what_psql_leaves,
};
use crate::layers::Ground;

/// A test for the files of each kind.
macro_rules! kinds {
    ($($name:ident: $kind:literal),+ $(,)?) => {
        /// The kinds that have a test.
        const TESTED: &[&str] = &[$($kind),+];

        $(
            #[tokio::test]
            async fn $name() {
                seeds_leave_what_psql_leaves(Ground::new(Kind::Host), &files($kind)).await;
            }
        )+
    };
}

kinds!(
    files_with_several_features_leave_what_psql_leaves: "combined",
    commands_of_psql_do_what_they_do_in_psql: "commands",
    rows_of_copy_in_a_file_are_loaded_as_by_psql: "copy",
    dumps_are_restored_as_by_psql: "dumps",
    settings_for_the_next_login_hold_as_after_psql: "login",
    objects_of_all_kinds_are_made_as_by_psql: "objects",
    what_a_session_leaves_behind_is_what_psql_leaves: "session",
    texts_in_any_form_and_encoding_are_read_as_by_psql: "text",
    statements_are_the_transactions_that_they_are_in_psql: "transactions",
);

#[tokio::test]
async fn a_failing_file_is_an_error_that_names_the_place_and_the_cause_that_psql_names() {
    let all: Vec<_> = FAILING.iter().collect();
    failing_files_stop_both_at_the_same_place(Ground::new(Kind::Host), &all).await;
}

#[test]
fn every_file_of_the_corpus_is_tested_and_says_what_it_shows() {
    assert_that_all_is_tested_and_explained();
    assert_eq!(TESTED, crate::corpus_cases::KINDS);
}
