//! Layers on the real engines. They have to be installed and running, with `docker.io/library/postgres:15` in both.

macro_rules! on_docker {
    ($kind:expr) => {
        crate::scenarios!(
            $kind,
            chains::sixteen_seeds_are_built_in_one_container_cost_a_boot_nothing_and_run_again_from_a_change_on,
            forms::each_form_of_seed_does_its_work_once,
            together::eight_processes_build_a_cold_chain_once_and_all_get_a_server,
            forms::a_container_script_after_an_uncached_seed_runs_at_each_boot,
            forms::the_same_chain_gives_the_same_data_as_on_the_host,
            failures::a_failing_seed_says_where_and_why_and_keeps_the_layers_before_it,
            gone::a_layer_that_is_removed_after_it_was_found_is_made_again,
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
            forms::what_a_key_program_prints_decides_whether_a_seed_runs_again,
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
