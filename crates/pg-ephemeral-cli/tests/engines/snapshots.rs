//! Sessions that go back in time, and copies of their databases, on Docker and Podman. Both have to be installed and running with the image postgres:15.

crate::on_engines! {
    both {
        snapshot_cases {
            a_restore_or_reset_that_is_killed_at_any_moment_leaves_the_old_session_or_the_new_one
        }
    }
    docker {
        snapshot_cases {
            a_session_goes_back_and_another_forks_off_while_somebody_writes
        }
    }
    podman {
        database_cases {
            a_command_gets_a_copy_that_goes_with_it
        }
    }
    host {}
}
