//! Layers on the real engines. They have to be installed and running, with `docker.io/library/postgres:15` in both.

macro_rules! on_docker {
    ($kind:expr) => {
        crate::scenarios!(
            $kind,
            chains::sixteen_seeds_are_built_in_one_container_cost_a_boot_nothing_and_run_again_from_a_change_on,
            forms::each_form_of_seed_does_its_work_once,
            dumps::a_dump_in_any_format_comes_back_as_it_was,
            logins::a_seed_may_change_the_superuser_s_password,
            logins::nobody_is_let_in_over_tcp_without_a_password,
            logins::seeds_run_under_the_configuration_that_an_earlier_seed_has_left,
            together::eight_processes_build_a_cold_chain_once_and_all_get_a_server,
            forms::a_container_script_after_an_uncached_seed_runs_at_each_boot,
            forms::the_same_chain_gives_the_same_data_as_on_the_host,
            failures::a_failing_seed_says_where_and_why_and_keeps_the_layers_before_it,
            gone::a_layer_that_is_removed_after_it_was_found_is_made_again,
            locales::text_is_sorted_as_in_the_official_image,
            locales::a_locale_that_an_image_lacks_is_told_in_the_words_of_initdb,
            gone::a_layer_that_lies_too_deep_to_be_built_upon_still_boots_and_grows,
        );
    };
}

macro_rules! on_podman {
    ($kind:expr) => {
        crate::scenarios!(
            $kind,
            unlogged::unlogged_relations_keep_their_rows,
            forms::container_scripts_change_the_image_between_seeds,
            forms::a_container_script_installs_its_files_and_a_library_that_servers_after_it_load,
            unlogged::unlogged_relations_of_another_tablespace_keep_their_rows,
            unlogged::a_layer_taken_from_a_running_server_is_sound_to_the_last_page,
            scripts::a_script_finds_the_files_that_it_includes_and_runs_again_when_one_changes,
            scripts::an_error_in_an_included_file_names_that_file_and_its_line,
            scripts::compressed_scripts_and_scripts_of_a_revision_include_files_as_others_do,
            scripts::a_script_works_on_other_databases_and_as_other_roles,
            scripts::psql_in_a_container_is_that_of_the_server_s_version,
            scripts::sql_for_a_server_that_runs_is_for_psql_too,
            scripts::what_psql_writes_and_reads_in_a_container_is_in_no_layer,
            dumps::a_dump_of_the_whole_cluster_comes_back_with_its_roles_and_databases,
            dumps::what_a_dump_lacks_is_told_at_once_and_owners_can_be_dropped,
            logins::a_seed_that_locks_the_superuser_out_is_named,
            logins::nobody_is_let_in_over_tcp_without_a_password,
            logins::a_seed_whose_configuration_keeps_the_server_from_starting_is_named,
            locales::icu_sorts_by_its_own_locale,
            failures::a_failing_container_script_shows_its_last_words,
            failures::a_server_that_dies_under_a_seed_is_an_error_and_leaves_nothing,
        );

        /// `LAYERS_KILLS` sets how often.
        #[tokio::test]
        async fn a_build_that_is_killed_at_any_moment_is_completed_by_the_next() {
            crate::layers::killed::killed($kind, 2).await;
        }
    };
}

macro_rules! on_host {
    ($kind:expr) => {
        crate::scenarios!(
            $kind,
            chains::names_places_and_tags_run_nothing_again,
            dumps::a_schema_dump_is_a_seed_that_gives_the_same_schema_dump,
            dumps::options_that_a_format_does_not_take_and_archives_in_a_script_s_place_are_refused,
            logins::settings_of_the_superuser_and_the_database_hold_for_the_user,
            logins::a_time_limit_of_idle_sessions_does_not_hold_for_connections_of_pg_ephemeral,
            forms::what_a_key_program_prints_decides_whether_a_seed_runs_again,
            locales::a_cluster_sorts_and_stores_text_as_was_asked_for,
            forms::a_seed_that_is_not_cached_and_those_after_it_run_at_each_boot,
        );
    };
}

/// A module of tests on an engine: what CI runs on this one. In `also` is what it runs on the other engine or on the host only:
/// none of it depends on the engine but by what the conformance suite has on both.
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

/// Docker takes the fewest layers. CI leaves it out: what is too deep for either engine has a test above.
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
