//! Tests of sessions on Docker and Podman. Both must be installed and running, with the image `postgres:15`.

crate::on_engines! {
    both {
        session_cases {
            exactly_one_of_several_starts_with_one_name_succeeds
            a_session_whose_server_was_killed_is_removed_and_its_name_is_free
            a_paused_session_keeps_its_name_and_can_be_stopped
        }
    }
    docker {
        session_cases {
            a_listing_shows_every_field_of_a_session
            every_command_runs_on_a_session_and_passes_on_its_status
            a_failing_seed_leaves_nothing_and_the_session_name_free
            a_signal_during_a_start_leaves_nothing
            a_command_works_below_the_session_folder_and_is_refused_outside
        }
    }
    podman {
        session_cases {
            a_session_runs_between_commands_until_it_is_stopped
            a_session_of_another_secret_is_marked_and_refused_without_force
            the_next_command_removes_what_a_killed_start_left
            servers_beside_a_session_are_not_listed_as_sessions
            a_session_ends_when_its_time_to_live_is_over_and_not_before
            an_interrupted_start_leaves_a_complete_session_or_nothing
        }
        terminal_cases {
            programs_on_a_session_have_the_terminal_to_themselves
            database_commands_leave_only_their_results_on_the_screen
        }
        tls_cases {
            every_network_connection_to_a_session_verifies_the_server_certificate
        }
    }
    host {
        session_cases {
            a_shell_can_evaluate_the_output_of_session_env
            session_status_compares_seeds_that_are_not_cached
            session_status_ignores_changes_of_other_instances
            the_error_for_an_unknown_session_name_lists_the_running_sessions
            a_session_from_cached_layers_is_in_sync_and_every_change_is_reported
        }
    }
}
