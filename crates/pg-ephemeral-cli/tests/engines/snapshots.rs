//! Tests of snapshots and of copies of a session's database on Docker and Podman. Both must be installed and running,
//! with the image `postgres:15`.

crate::on_engines! {
    both {
        snapshot_cases {
            a_restore_or_reset_that_is_killed_at_any_moment_leaves_the_old_session_or_the_new_one
            a_snapshot_that_is_killed_at_any_moment_leaves_the_session_running
        }
    }
    docker {
        snapshot_cases {
            a_session_is_restored_and_forked_while_a_client_writes
        }
    }
    podman {
        database_cases {
            a_command_gets_a_copy_of_the_database_that_is_dropped_afterwards
        }
    }
    host {}
}
