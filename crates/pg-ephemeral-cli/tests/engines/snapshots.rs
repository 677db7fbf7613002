//! Sessions that go back in time, and copies of their databases, on Docker and Podman. Both have to be installed and running with the image postgres:15.

macro_rules! on_docker {
    ($engine:literal) => {
        crate::backend_tests! { snapshot_cases, $engine:
            a_session_goes_back_and_another_forks_off_while_somebody_writes
        }
    };
}

macro_rules! on_podman {
    ($engine:literal) => {
        crate::backend_tests! { database_cases, $engine:
            a_command_gets_a_copy_that_goes_with_it
        }
    };
}

/// A module of tests on an engine: what CI runs on this one. In `also` is what it runs on the other one
/// only: none of it depends on the engine but by what the conformance suite has on both.
macro_rules! on_engine {
    ($module:ident, $engine:literal, $here:ident, $elsewhere:ident) => {
        mod $module {
            $here! { $engine }

            mod also {
                $elsewhere! { $engine }
            }
        }
    };
}

on_engine!(docker, "docker", on_docker, on_podman);
on_engine!(podman, "podman", on_podman, on_docker);
