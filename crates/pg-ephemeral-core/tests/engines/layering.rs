//! Layers on the real engines. Both engines must be installed and running, and have `docker.io/library/postgres:15`.

macro_rules! on_docker {
    ($kind:expr) => {
        crate::scenarios!(
            $kind,
            chains::sixteen_seeds_are_built_in_one_container_and_run_again_only_from_a_change_on,
            forms::each_type_of_seed_runs_once,
            dumps::a_dump_in_any_format_restores_the_same_database,
            logins::a_seed_may_change_the_superuser_s_password,
            logins::connections_over_tcp_require_a_password,
            logins::seeds_run_under_the_configuration_that_an_earlier_seed_set,
            together::eight_processes_build_a_cold_chain_once_and_all_get_a_server,
            forms::a_container_script_after_an_uncached_seed_runs_at_each_boot,
            forms::the_same_chain_gives_the_same_data_as_on_the_host,
            failures::a_failing_seed_is_an_error_with_place_and_cause_and_earlier_layers_are_kept,
            gone::a_layer_that_is_removed_after_it_was_found_is_built_again,
            locales::text_is_sorted_as_in_the_official_image,
            locales::a_locale_that_an_image_lacks_is_an_error_with_the_message_of_initdb,
            gone::a_layer_with_too_many_file_systems_still_boots_and_can_be_extended,
        );
    };
}

macro_rules! on_podman {
    ($kind:expr) => {
        crate::scenarios!(
            $kind,
            unlogged::unlogged_relations_keep_their_rows,
            forms::container_scripts_change_the_image_between_seeds,
            forms::a_container_script_installs_files_and_a_library_that_later_servers_load,
            unlogged::unlogged_relations_in_another_tablespace_keep_their_rows,
            unlogged::a_layer_committed_from_a_running_server_has_no_corrupt_page,
            contents::a_layer_has_statistics_and_no_spare_wal,
            scripts::a_script_runs_again_when_a_file_that_it_includes_changes,
            scripts::an_error_in_an_included_file_names_that_file_and_its_line,
            scripts::compressed_scripts_and_scripts_of_a_git_revision_can_include_files,
            scripts::a_script_can_connect_to_other_databases_and_as_other_roles,
            scripts::psql_in_a_container_has_the_server_s_version,
            scripts::apply_sql_runs_psql_on_a_running_server,
            scripts::files_that_psql_reads_and_writes_in_a_container_are_in_no_layer,
            dumps::a_dump_of_the_whole_cluster_restores_its_roles_and_databases,
            dumps::what_a_dump_needs_and_the_server_lacks_is_an_error_and_owners_can_be_dropped,
            logins::the_error_names_a_seed_that_locks_the_superuser_out,
            logins::connections_over_tcp_require_a_password,
            logins::the_error_names_a_seed_whose_configuration_prevents_the_next_start,
            locales::icu_sorts_by_its_own_locale,
            failures::the_error_of_a_failing_container_script_shows_its_last_output,
            failures::a_server_that_dies_during_a_seed_is_an_error_and_leaves_nothing,
        );

        /// The variable `LAYERS_KILLS` sets the number of kills.
        #[tokio::test]
        async fn a_build_that_is_killed_at_any_moment_is_completed_by_the_next_build() {
            crate::layers::killed::killed($kind, 2).await;
        }
    };
}

macro_rules! on_host {
    ($kind:expr) => {
        crate::scenarios!(
            $kind,
            chains::renaming_or_moving_files_seeds_or_images_runs_no_seed_again,
            dumps::a_schema_dump_used_as_a_seed_gives_the_same_schema_dump,
            dumps::unsupported_dump_options_and_archives_in_place_of_scripts_are_refused,
            logins::settings_of_the_superuser_and_the_database_apply_to_user_connections,
            logins::the_idle_session_timeout_does_not_apply_to_connections_of_pg_ephemeral,
            forms::the_output_of_a_key_program_decides_whether_a_seed_runs_again,
            locales::a_cluster_has_the_configured_locale_and_encoding,
            forms::an_uncached_seed_and_all_later_seeds_run_at_each_boot,
        );
    };
}

/// Defines a module of tests on an engine: those that CI runs on this engine. The module `also` has the tests that CI
/// runs only on the other engine or only on the host. These depend on the engine only in ways that the conformance
/// suite checks on both engines.
macro_rules! on_engine {
    ($module:ident, $kind:expr, $here:ident, $elsewhere:ident) => {
        mod $module {
            use ociman::Kind;

            $here! { $kind }

            mod also {
                use ociman::Kind;

                $elsewhere! { $kind }
                on_host! { $kind }
            }
        }
    };
}

on_engine!(docker, Kind::Docker, on_docker, on_podman);
on_engine!(podman, Kind::Podman, on_podman, on_docker);

/// Tested on Docker because it allows the fewest file systems in an image. CI does not run it, because a test above
/// covers images with too many file systems on both engines.
mod also {
    crate::scenarios!(ociman::Kind::Docker, gone::a_chain_of_sixty_four_seeds_is_built_once_and_boots);
}

mod helper {
    #[tokio::test]
    #[ignore = "is run by other tests, in processes of their own"]
    async fn a_process_of_its_own() {
        crate::layers::help().await;
    }
}
