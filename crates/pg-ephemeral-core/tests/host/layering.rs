//! Layers on the host backend: only changed seeds run again, for all types of seeds and however a build ends.

use ociman::Kind;

crate::scenarios!(
    Kind::Host,
    chains::sixteen_seeds_are_built_in_one_container_and_run_again_only_from_a_change_on,
    chains::renaming_or_moving_files_seeds_or_images_runs_no_seed_again,
    gone::a_chain_of_sixty_four_seeds_is_built_once_and_boots,
    forms::each_type_of_seed_runs_once,
    forms::an_uncached_seed_and_all_later_seeds_run_at_each_boot,
    forms::the_output_of_a_key_program_decides_whether_a_seed_runs_again,
    forms::a_container_script_on_the_host_is_an_error_before_anything_starts,
    forms::the_rental_shop_is_unchanged_when_booted_from_its_layers,
    forms::the_caller_s_time_zone_does_not_affect_times_without_a_zone,
    unlogged::unlogged_relations_keep_their_rows,
    unlogged::a_layer_of_the_host_has_no_corrupt_page,
    contents::a_layer_has_statistics_and_no_spare_wal,
    failures::a_failing_seed_is_an_error_with_place_and_cause_and_earlier_layers_are_kept,
    scripts::a_script_runs_again_when_a_file_that_it_includes_changes,
    scripts::an_error_in_an_included_file_names_that_file_and_its_line,
    scripts::compressed_scripts_and_scripts_of_a_git_revision_can_include_files,
    scripts::a_script_can_connect_to_other_databases_and_as_other_roles,
    scripts::apply_sql_runs_psql_on_a_running_server,
    dumps::a_dump_in_any_format_restores_the_same_database,
    dumps::a_dump_of_the_whole_cluster_restores_its_roles_and_databases,
    dumps::a_schema_dump_used_as_a_seed_gives_the_same_schema_dump,
    dumps::what_a_dump_needs_and_the_server_lacks_is_an_error_and_owners_can_be_dropped,
    dumps::unsupported_dump_options_and_archives_in_place_of_scripts_are_refused,
    logins::a_seed_may_change_the_superuser_s_password,
    logins::connections_over_tcp_require_a_password,
    logins::settings_of_the_superuser_and_the_database_apply_to_user_connections,
    logins::the_idle_session_timeout_does_not_apply_to_connections_of_pg_ephemeral,
    logins::the_error_names_a_seed_that_locks_the_superuser_out,
    logins::the_error_names_a_seed_whose_configuration_prevents_the_next_start,
    logins::seeds_run_under_the_configuration_that_an_earlier_seed_set,
    failures::the_error_contains_postgresql_s_detail_hint_and_context,
    failures::a_server_that_dies_during_a_seed_is_an_error_and_leaves_nothing,
    locales::text_is_sorted_as_in_the_official_image,
    locales::a_cluster_has_the_configured_locale_and_encoding,
    locales::icu_sorts_by_its_own_locale,
    locales::a_locale_that_this_machine_lacks_is_an_error_with_a_hint,
    locales::contradictory_locale_settings_are_an_error_before_anything_starts,
    together::eight_processes_build_a_cold_chain_once_and_all_get_a_server,
);

/// The variable `LAYERS_KILLS` sets the number of kills.
#[tokio::test]
async fn a_build_that_is_killed_at_any_moment_is_completed_by_the_next_build() {
    crate::layers::killed::killed(Kind::Host, 4).await;
}

mod helper {
    #[tokio::test]
    #[ignore = "is run by other tests, in processes of their own"]
    async fn a_process_of_its_own() {
        crate::layers::help().await;
    }
}
