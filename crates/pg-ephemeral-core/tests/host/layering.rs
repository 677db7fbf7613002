//! Layers on the host backend: only what changed runs again, whatever the seeds are and whatever ends a build.

use ociman::Kind;

crate::scenarios!(
    Kind::Host,
    chains::sixteen_seeds_are_built_in_one_container_cost_a_boot_nothing_and_run_again_from_a_change_on,
    chains::names_places_and_tags_run_nothing_again,
    gone::a_chain_of_sixty_four_seeds_is_built_once_and_boots,
    forms::each_form_of_seed_does_its_work_once,
    forms::a_seed_that_is_not_cached_and_those_after_it_run_at_each_boot,
    forms::what_a_key_program_prints_decides_whether_a_seed_runs_again,
    forms::a_container_script_on_the_host_is_a_clear_error_before_anything_starts,
    forms::the_rental_shop_comes_back_from_its_layers_as_it_was_made,
    forms::a_time_without_a_zone_means_the_same_whatever_the_caller_s_zone,
    unlogged::unlogged_relations_keep_their_rows,
    unlogged::a_layer_of_the_host_is_sound_to_the_last_page,
    failures::a_failing_seed_says_where_and_why_and_keeps_the_layers_before_it,
    scripts::a_script_finds_the_files_that_it_includes_and_runs_again_when_one_changes,
    scripts::an_error_in_an_included_file_names_that_file_and_its_line,
    scripts::compressed_scripts_and_scripts_of_a_revision_include_files_as_others_do,
    scripts::a_script_works_on_other_databases_and_as_other_roles,
    scripts::sql_for_a_server_that_runs_is_for_psql_too,
    dumps::a_dump_in_any_format_comes_back_as_it_was,
    dumps::a_dump_of_the_whole_cluster_comes_back_with_its_roles_and_databases,
    dumps::a_schema_dump_is_a_seed_that_gives_the_same_schema_dump,
    dumps::what_a_dump_lacks_is_told_at_once_and_owners_can_be_dropped,
    dumps::options_that_a_format_does_not_take_and_archives_in_a_script_s_place_are_refused,
    logins::a_seed_may_change_the_superuser_s_password,
    logins::nobody_is_let_in_over_tcp_without_a_password,
    logins::settings_of_the_superuser_and_the_database_hold_for_the_user,
    logins::a_time_limit_of_idle_sessions_does_not_hold_for_connections_of_pg_ephemeral,
    logins::a_seed_that_locks_the_superuser_out_is_named,
    logins::a_seed_whose_configuration_keeps_the_server_from_starting_is_named,
    logins::seeds_run_under_the_configuration_that_an_earlier_seed_has_left,
    failures::what_postgresql_suggests_is_part_of_the_error,
    failures::a_server_that_dies_under_a_seed_is_an_error_and_leaves_nothing,
    locales::text_is_sorted_as_in_the_official_image,
    locales::a_cluster_sorts_and_stores_text_as_was_asked_for,
    locales::icu_sorts_by_its_own_locale,
    locales::a_locale_that_this_machine_lacks_is_an_error_with_what_to_do,
    locales::settings_that_do_not_fit_each_other_start_nothing,
    together::eight_processes_build_a_cold_chain_once_and_all_get_a_server,
);

/// `LAYERS_KILLS` sets how often.
#[tokio::test]
async fn a_build_that_is_killed_at_any_moment_is_completed_by_the_next() {
    crate::layers::killed::killed(Kind::Host, 4).await;
}

mod helper {
    #[tokio::test]
    #[ignore = "is run by other tests, in processes of their own"]
    async fn a_process_of_its_own() {
        crate::layers::help().await;
    }
}
