//! Tests of the binary on Docker and Podman. Both must be installed and running, with the image `postgres:15`.

crate::on_engines! {
    both {
        engine_cases {
            a_query_prints_exactly_its_result_cold_and_warm
            psql_is_interactive_and_ctrl_c_cancels_only_the_query
            no_password_is_visible_in_arguments_metadata_or_logs
            a_signal_at_any_moment_leaves_nothing
            gc_and_the_next_command_remove_what_a_killed_command_left
            an_image_that_can_not_be_pulled_is_an_error_with_a_hint
            a_warm_start_takes_at_most_five_engine_commands
        }
    }
    docker {
        tool_cases {
            a_tool_passes_every_byte_through_and_its_status_is_the_exit_status
            a_tool_has_the_terminal
        }
        engine_cases {
            the_exit_status_is_that_of_the_command
            a_working_folder_may_have_any_name
            a_dump_through_run_env_is_clean_to_the_last_byte
            a_live_server_is_listed_and_left_alone_by_gc
        }
    }
    podman {
        tool_cases {
            a_tool_of_the_image_sees_the_working_folder_and_reaches_a_server_on_the_loopback
            a_tool_handles_a_signal_itself_and_leaves_nothing
            gc_removes_what_a_killed_tool_left
        }
        tls_cases {
            a_warm_start_with_tls_takes_at_most_five_engine_commands
        }
        engine_cases {
            eight_cold_starts_at_once_build_one_layer_and_leave_nothing
            a_server_that_dies_at_boot_is_an_error_with_the_end_of_its_log
            a_command_in_the_container_sees_the_working_folder_and_writes_files_as_the_caller
            a_command_inside_handles_a_signal_itself
            many_servers_one_after_the_other_leave_nothing
        }
    }
    host {}
}
