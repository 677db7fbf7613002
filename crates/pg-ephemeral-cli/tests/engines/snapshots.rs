//! Sessions that go back in time, and copies of their databases, on Docker and Podman. Both have to be installed and running with the image postgres:15.

macro_rules! on_engine {
    ($module:ident, $engine:literal) => {
        mod $module {
            crate::backend_tests! { snapshot_cases, $engine:
                a_session_goes_back_and_another_forks_off_while_somebody_writes
            }
            crate::backend_tests! { database_cases, $engine: a_command_gets_a_copy_that_goes_with_it }
        }
    };
}

on_engine!(docker, "docker");
on_engine!(podman, "podman");
