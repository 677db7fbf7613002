//! Which server parameters a layer's key leaves out.

/// Parameters that are known not to affect stored data: memory, planner, logging, activity statistics, checkpoints,
/// connections, timeouts and durability. At most they change the order of rows that a seed leaves unspecified.
///
/// A parameter that is not listed is part of the key, because an unneeded rebuild is better than a wrong layer. Some
/// parameters that look similar are not listed on purpose: `track_commit_timestamp` stores data, and
/// `max_prepared_transactions` must match the stored data.
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

/// Prefixes of the names of further parameters that do not affect stored data, as in [`NOT_SHAPING`].
const NOT_SHAPING_PREFIXES: [&str; 7] =
    ["auto_explain.", "autovacuum", "bgwriter_", "checkpoint_", "log_", "vacuum_cost_", "wal_writer_"];

/// Returns `true` if a parameter may affect stored data. The name must be in lower case.
pub(super) fn shapes_data(name: &str) -> bool {
    NOT_SHAPING.binary_search(&name).is_err() && !NOT_SHAPING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Parameters that name libraries. If a library is missing, the server does not start or refuses all connections.
const PRELOADING: [&str; 3] = ["local_preload_libraries", "session_preload_libraries", "shared_preload_libraries"];

/// Returns `true` if a parameter names libraries, which a later container script may install.
pub(crate) fn preloads(name: &str) -> bool {
    PRELOADING.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_the_binary_search() {
        assert!(NOT_SHAPING.is_sorted());
    }

    #[test]
    fn parameters_that_name_libraries_are_recognised_in_any_case() {
        assert!(preloads("shared_preload_libraries") && preloads("Session_Preload_Libraries"));
        assert!(!preloads("shared_buffers"));
    }

    #[test]
    fn parameters_for_memory_and_logging_do_not_affect_data() {
        for name in ["work_mem", "application_name", "log_statement", "autovacuum", "checkpoint_timeout"] {
            assert!(!shapes_data(name), "{name}");
        }
    }

    #[test]
    fn parameters_for_storage_and_unknown_parameters_affect_data() {
        for name in ["timezone", "wal_level", "shared_preload_libraries", "track_commit_timestamp", "acme.mode"] {
            assert!(shapes_data(name), "{name}");
        }
    }
}
