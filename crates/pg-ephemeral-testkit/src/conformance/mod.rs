//! A test suite for backends: a list of cases that run on any [`Backend`](ociman::Backend). The real engines, the fakes
//! of this crate and your own backend must pass the same cases.
//!
//! A case uses only `ociman`'s public operations, removes the containers and images that it made, and returns a
//! [`Violation`] if the backend does not meet the requirement. Where backends differ by design, the case accepts
//! different results for each [`ociman::Kind`].
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_ephemeral_testkit::conformance::{Subject, cases};
//!
//! let subject = Subject::new(ociman::Backend::podman(), "docker.io/library/postgres:17".parse()?);
//! for case in cases() {
//!     case.run(&subject).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! In a test binary, the macro [`conformance_tests!`](crate::conformance_tests) makes a test of each case.

mod attached;
mod case;
mod characters;
mod commit;
mod concurrency;
mod containers;
mod exec;
mod expect;
mod files;
mod image_labels;
mod images;
mod labels;
mod lifecycle;
mod missing;
mod network;
mod stage;
mod streams;
mod variables;

pub use case::{Case, CaseOutcome};
pub use expect::Violation;
pub use stage::Subject;

/// Defines [`cases`] and [`crate::conformance_tests`] from one list of the cases.
macro_rules! list {
    ($dollar:tt $($module:ident { $($case:ident)* })*) => {
        /// Returns all cases, grouped by subject.
        pub fn cases() -> Vec<Case> {
            vec![$($(Case::new(stringify!($case), |stage| Box::pin($module::$case(stage))),)*)*]
        }

        /// Makes a test of each case of [`conformance`](crate::conformance), for one backend.
        ///
        /// The argument is an async function without parameters that returns the
        /// [`Subject`](crate::conformance::Subject). Each test calls it once. A test fails if the backend breaks the
        /// case, or if the backend does not work at all.
        ///
        /// ```no_run
        /// use pg_ephemeral_testkit::conformance::Subject;
        ///
        /// async fn podman() -> Subject {
        ///     let image = "docker.io/library/postgres:17".parse().expect("an image reference");
        ///     Subject::new(ociman::Backend::podman(), image)
        /// }
        ///
        /// pg_ephemeral_testkit::conformance_tests!(podman);
        /// ```
        #[macro_export]
        macro_rules! conformance_tests {
            ($dollar subject:path) => {
                $($(
                    #[test]
                    fn $case() {
                        $crate::conformance::run_blocking(stringify!($case), $dollar subject);
                    }
                )*)*
            };
        }
    };
}

list! {
    $
    containers {
        a_container_runs_under_its_name
        a_taken_name_is_refused_and_the_first_container_stays
        the_name_of_a_stopped_container_is_taken_too
        a_name_is_free_again_after_removal
        a_long_name_with_every_allowed_character_works
        a_container_of_a_missing_image_is_refused_and_leaves_nothing
        a_container_of_a_missing_program_is_refused_and_leaves_nothing
        a_container_of_a_file_that_is_not_executable_is_refused_and_leaves_nothing
        inspections_keep_the_order_and_have_gaps_for_missing_containers
        inspecting_no_containers_returns_nothing
        an_inspection_reports_the_image_of_a_container
        last_lines_of_the_log_hold_both_streams
        the_log_of_an_ended_container_can_be_read
        a_log_is_limited_to_the_requested_number_of_lines
    }
    attached {
        an_attached_container_returns_its_status_and_is_removed
        an_attached_container_of_a_missing_image_ends_with_125
        an_attached_container_runs_commands_and_can_be_removed
    }
    labels {
        labels_of_a_container_come_back_as_they_were_given
        a_listing_is_filtered_by_key
        a_listing_is_filtered_by_key_and_value
        all_filters_of_a_listing_must_match
        a_filter_is_not_a_pattern
        a_filter_value_may_hold_unusual_characters
        a_listing_gives_only_the_labels_asked_for
        listed_label_values_with_commas_and_line_breaks_stay_whole
        a_listing_has_stopped_containers_with_their_state
        a_listing_without_a_match_is_empty
    }
    lifecycle {
        a_stop_lets_the_process_handle_the_signal
        the_stop_signal_can_be_chosen
        a_stop_kills_the_process_after_its_time_limit
        stopping_a_stopped_container_is_no_error
        a_stopped_container_starts_again_with_its_files
        starting_a_running_container_is_no_error
        a_renamed_container_keeps_running_and_keeps_its_files
        a_taken_name_is_refused_when_a_container_is_renamed
        a_removal_by_id_leaves_a_newer_container_of_the_same_name
        waiting_gives_the_status_of_an_ended_process
        waiting_lasts_until_the_process_ends
        an_ended_container_reports_its_exit_code
        a_running_container_is_not_removed_without_force
        a_stopped_container_is_removed
        a_running_container_is_removed_by_force
        removing_a_missing_container_by_force_is_no_error
        a_forced_removal_ends_every_process_of_the_container
    }
    missing {
        inspecting_a_missing_container_fails_with_container_not_found
        executing_in_a_missing_container_fails_with_container_not_found
        starting_a_missing_container_fails_with_container_not_found
        stopping_a_missing_container_fails_with_container_not_found
        waiting_for_a_missing_container_fails_with_container_not_found
        removing_a_missing_container_fails_with_container_not_found
        reading_a_missing_containers_log_fails_with_container_not_found
        committing_a_missing_container_fails_with_container_not_found
        executing_in_a_stopped_container_fails_with_container_not_running
        tagging_a_missing_image_fails_with_image_not_found
        removing_a_missing_image_fails_with_image_not_found
    }
    exec {
        a_command_gives_both_of_its_outputs
        a_command_gives_its_exit_status
        a_command_ended_by_a_signal_gives_128_and_its_number
        a_missing_program_ends_with_127_or_126
        a_file_that_is_not_executable_ends_with_126
        empty_arguments_arrive
        arguments_arrive_as_they_were_given
        a_command_runs_in_the_folder_asked_for
        a_command_runs_as_the_user_asked_for
        engine_error_texts_printed_by_a_command_are_not_engine_errors
        a_failing_command_leaves_the_container_running
    }
    streams {
        a_command_without_input_reads_end_of_file_at_once
        a_command_reads_its_input_to_the_end
        ten_megabytes_of_binary_input_come_back_unchanged
        ten_megabytes_of_output_arrive_whole
        ten_megabytes_on_both_outputs_at_once_arrive_whole
        a_command_that_reads_no_input_ends_by_itself
        a_command_that_reads_some_of_its_input_ends_by_itself
        a_streamed_command_answers_each_line_of_input
        a_streamed_command_gives_its_exit_status
        a_streamed_command_reads_end_of_file_when_its_input_is_closed
        a_dropped_streamed_command_leaves_the_container_running
    }
    variables {
        variables_of_a_container_reach_its_process_and_its_commands
        variables_of_a_command_override_those_of_its_container
        secret_variables_reach_their_process
        values_of_variables_arrive_as_they_were_given
        an_inspection_lists_the_variables_of_a_container
    }
    characters {
        arguments_of_a_container_arrive_as_they_were_given
        arguments_follow_the_whole_entrypoint
        a_label_may_be_long
    }
    commit {
        a_container_of_a_commit_has_its_files
        containers_of_one_commit_do_not_see_each_others_changes
        a_commit_moves_an_existing_name_to_the_new_image
        a_commit_stops_a_container_on_the_host_but_not_on_engines
        a_stopped_container_can_be_committed
        a_commit_keeps_the_layers_below_and_adds_one
        a_commit_of_a_commit_has_the_files_of_both
    }
    image_labels {
        a_commit_has_the_labels_of_its_container
        labels_of_a_commit_override_those_of_its_container
        an_empty_label_of_a_commit_overrides_that_of_its_container
        labels_of_a_commit_come_back_as_they_were_given
        labels_of_a_commit_with_line_breaks_come_back_or_are_refused
        labels_of_a_container_with_line_breaks_are_kept_by_a_commit
        containers_of_a_commit_have_its_labels
    }
    images {
        a_tag_is_one_more_name_of_the_same_image
        images_are_listed_by_the_start_of_their_name
        images_are_listed_by_their_repository
        image_inspections_keep_the_order_and_have_gaps_for_missing_images
        two_names_of_one_image_can_be_inspected_at_once
        inspecting_no_images_returns_nothing
        a_name_without_a_domain_works_everywhere
        removing_one_of_two_names_keeps_the_image
        removing_the_last_name_removes_the_image
        an_image_in_use_by_a_running_container_is_kept
        an_image_in_use_by_a_stopped_container_is_kept
        pulling_is_refused_where_there_is_no_registry
    }
    network {
        a_port_chosen_by_the_engine_is_reported
        a_port_chosen_by_the_caller_is_reported
        a_listing_reports_the_same_ports_as_an_inspection
        a_port_taken_by_a_process_is_refused_and_nothing_is_left
        a_port_taken_by_a_container_is_refused_and_nothing_is_left
        a_port_is_free_again_after_removal
        a_container_without_a_network_publishes_nothing
    }
    files {
        a_bound_folder_is_read_and_written
        a_missing_folder_is_not_bound
        a_file_system_in_memory_is_writable
    }
    concurrency {
        eight_containers_run_at_once
        one_of_eight_containers_gets_a_contested_name
        eight_removals_of_one_container_all_work
        eight_commands_run_in_one_container
        eight_commits_of_eight_containers_work
        a_listing_works_while_containers_come_and_go
        a_listing_of_images_works_while_images_come_and_go
    }
}

/// The error for a case name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no conformance case {name:?}")]
pub struct UnknownCase {
    /// The name.
    pub name: String,
}

/// Runs the case of this name in its own tokio runtime. The tests that
/// [`conformance_tests!`](crate::conformance_tests) makes call this function.
///
/// # Panics
/// Panics if there is no case of this name or if the backend breaks it. The message has the chain of causes.
#[track_caller]
#[expect(clippy::panic, reason = "a test fails by a panic")]
pub fn run_blocking<F: Future<Output = Subject>>(name: &str, subject: impl FnOnce() -> F) {
    let outcome = cases()
        .into_iter()
        .find(|case| case.name == name)
        .ok_or_else(|| Box::<dyn std::error::Error>::from(UnknownCase { name: name.to_owned() }))
        .and_then(|case| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { case.run(&subject().await).await })?;
            Ok(())
        });
    if let Err(error) = outcome {
        panic!("{name}: {}", chain(error.as_ref()));
    }
}

/// Returns the text of an error and of all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str("\n  caused by: ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
