//! Sessions on Docker and Podman, from the command line. Both have to be installed and running with the image postgres:15.

crate::on_engines! {
    both {
        session_cases {
            of_several_starts_of_one_name_exactly_one_wins_and_works
            a_session_whose_server_was_killed_is_gone_and_its_name_is_free
            a_session_that_somebody_paused_keeps_its_name_and_can_be_stopped
        }
    }
    docker {
        session_cases {
            a_listing_tells_everything_about_a_session
            every_command_runs_on_a_session_with_its_status
            a_failing_seed_leaves_nothing_and_its_name_free
            a_signal_during_a_start_leaves_nothing
            a_command_works_below_the_folder_of_its_session_and_says_so_elsewhere
        }
    }
    podman {
        session_cases {
            a_session_goes_on_between_commands_until_it_is_stopped
            a_session_of_another_secret_is_shown_as_such_and_left_alone_unless_forced
            what_a_killed_start_left_is_gone_with_the_next_command
            a_cold_start_and_servers_beside_it_stay_one_session
            a_session_ends_with_its_time_and_never_before
            a_start_that_is_cut_off_at_any_moment_leaves_a_whole_session_or_nothing
        }
        terminal_cases {
            programs_on_a_session_have_the_terminal_for_themselves
            results_of_database_commands_are_alone_on_the_screen
        }
        tls_cases {
            every_way_to_a_session_checks_its_server
        }
    }
    host {
        session_cases {
            the_environment_of_a_session_is_what_a_shell_evaluates
            a_seed_that_is_not_cached_is_compared_as_well
            another_instance_and_its_changes_are_no_divergence
            a_name_that_nobody_has_is_told_which_there_are
            a_session_from_cached_layers_is_in_sync_and_every_change_is_told
        }
    }
}
