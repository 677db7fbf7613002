//! Sessions on Docker and Podman, from the command line. Both have to be installed and running with the image postgres:15.

macro_rules! on_engine {
    ($module:ident, $engine:literal) => {
        mod $module {
            crate::session_tests! { $engine }
            crate::backend_tests! { session_cases, $engine:
                a_command_works_below_the_folder_of_its_session_and_says_so_elsewhere
                a_session_that_somebody_paused_keeps_its_name_and_can_be_stopped
            }
            crate::backend_tests! { tls_cases, $engine: every_way_to_a_session_checks_its_server }
        }
    };
}

on_engine!(docker, "docker");
on_engine!(podman, "podman");
