//! Which server parameters a layer's key leaves out.

/// Parameters that are known to leave the stored data as it is: memory, planner, logging, statistics of activity,
/// checkpoints, connections, timeouts and durability. At most they change an order of rows that a seed left open.
///
/// A parameter that is not known here is part of the key: an unneeded rebuild is cheaper than a wrong layer. So what
/// looks alike need not be here: `track_commit_timestamp` stores data, `max_prepared_transactions` must fit to it.
const NOT_SHAPING: [&str; 58] = [
    "application_name",
    "archive_timeout",
    "authentication_timeout",
    "backend_flush_after",
    "client_connection_check_interval",
    "client_min_messages",
    "cluster_name",
    "commit_delay",
    "commit_siblings",
    "deadlock_timeout",
    "debug_pretty_print",
    "effective_cache_size",
    "effective_io_concurrency",
    "fsync",
    "full_page_writes",
    "hash_mem_multiplier",
    "huge_pages",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "jit",
    "listen_addresses",
    "lock_timeout",
    "logical_decoding_work_mem",
    "maintenance_io_concurrency",
    "maintenance_work_mem",
    "max_connections",
    "max_locks_per_transaction",
    "max_parallel_maintenance_workers",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "max_stack_depth",
    "max_wal_size",
    "min_wal_size",
    "port",
    "random_page_cost",
    "reserved_connections",
    "seq_page_cost",
    "shared_buffers",
    "shared_memory_type",
    "statement_timeout",
    "superuser_reserved_connections",
    "synchronous_commit",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
    "temp_buffers",
    "temp_file_limit",
    "track_activities",
    "track_activity_query_size",
    "track_counts",
    "track_functions",
    "track_io_timing",
    "track_wal_io_timing",
    "transaction_timeout",
    "update_process_title",
    "wal_buffers",
    "work_mem",
];

/// As [`NOT_SHAPING`], for all parameters whose names start so.
const NOT_SHAPING_PREFIXES: [&str; 7] =
    ["auto_explain.", "autovacuum", "bgwriter_", "checkpoint_", "log_", "vacuum_cost_", "wal_writer_"];

/// Whether a parameter, its name in lower case, may shape what is stored.
pub(super) fn shapes_data(name: &str) -> bool {
    NOT_SHAPING.binary_search(&name).is_err() && !NOT_SHAPING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Parameters that name libraries, without which no server starts or lets anybody in.
const PRELOADING: [&str; 3] = ["local_preload_libraries", "session_preload_libraries", "shared_preload_libraries"];

/// Whether a parameter names libraries that a container script may be about to install.
pub(crate) fn preloads(name: &str) -> bool {
    PRELOADING.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_as_the_search_needs_it() {
        assert!(NOT_SHAPING.is_sorted());
    }

    #[test]
    fn libraries_are_told_from_other_parameters_whatever_the_case() {
        assert!(preloads("shared_preload_libraries") && preloads("Session_Preload_Libraries"));
        assert!(!preloads("shared_buffers"));
    }

    #[test]
    fn memory_and_logging_do_not_shape_data() {
        for name in ["work_mem", "application_name", "log_statement", "autovacuum", "checkpoint_timeout"] {
            assert!(!shapes_data(name), "{name}");
        }
    }

    #[test]
    fn what_is_stored_or_unknown_shapes_data() {
        for name in ["timezone", "wal_level", "shared_preload_libraries", "track_commit_timestamp", "acme.mode"] {
            assert!(shapes_data(name), "{name}");
        }
    }
}
