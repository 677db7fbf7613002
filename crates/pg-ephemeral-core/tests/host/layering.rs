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
    failures::what_postgresql_suggests_is_part_of_the_error,
    failures::a_server_that_dies_under_a_seed_is_an_error_and_leaves_nothing,
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
