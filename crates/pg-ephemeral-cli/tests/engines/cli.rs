//! The binary on Docker and Podman. Both have to be installed and running with the image postgres:15.

crate::on_engines! {
    both {
        engine_cases {
            a_query_prints_exactly_its_result_cold_and_warm
            psql_is_interactive_and_ctrl_c_cancels_only_the_query
            no_password_is_to_be_seen_anywhere
            a_signal_at_any_moment_leaves_nothing
            what_a_killed_command_left_is_gone_after_gc_or_the_next_one
            an_image_that_can_not_be_pulled_is_an_error_with_a_hint
            a_warm_start_asks_the_engine_at_most_five_times
        }
    }
    docker {
        tool_cases {
            a_tool_reads_and_writes_every_byte_and_its_status_is_the_status
            a_tool_has_the_terminal
        }
        engine_cases {
            the_status_of_the_command_is_the_status
            a_working_folder_may_have_any_name
            a_dump_through_run_env_is_clean_to_the_last_byte
            a_live_server_is_listed_and_left_alone_by_gc
        }
    }
    podman {
        tool_cases {
            a_tool_of_the_image_runs_on_the_folder_and_reaches_a_server_on_the_loopback
            a_tool_may_end_in_its_own_way_when_a_signal_comes_and_leaves_nothing
            what_a_killed_tool_left_is_gone_after_gc
        }
        tls_cases {
            a_warm_start_with_tls_asks_the_engine_at_most_five_times
        }
        engine_cases {
            eight_cold_starts_at_once_build_one_layer_and_leave_nothing
            a_server_that_dies_at_boot_shows_its_last_words
            the_working_folder_is_at_hand_and_what_is_written_is_the_callers
            a_command_inside_may_end_in_its_own_way_when_a_signal_comes
            many_servers_one_after_the_other_leave_nothing
        }
    }
    host {}
}
