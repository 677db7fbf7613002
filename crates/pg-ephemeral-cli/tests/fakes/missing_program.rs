//! Tests of `run-env` with a program that the image lacks, on fake engines.

use crate::support::fakes::fake;
use crate::support::make_executable;
use pg_ephemeral_testkit::Project;

/// Returns the `PATH` of a project's commands, preceded by the project's folder `own`.
fn path_with_own(project: &Project) -> String {
    let path = project.environment().into_iter().find_map(|(name, value)| (name == "PATH").then_some(value));
    format!("{}:{}", project.folder().join("own").display(), path.unwrap_or_default())
}

#[test]
fn a_program_that_the_image_lacks_is_an_error_before_any_start_and_names_the_form_that_runs_it() {
    for engine in ["docker", "podman"] {
        let project = fake(engine, &[]).file("own/shoptests", "#!/bin/sh\n");
        make_executable(&project.folder().join("own/shoptests"));
        let run = |path: Option<&str>| {
            let command = project.command(["--backend", engine, "--image", "17", "run-env", "--", "shoptests", "test"]);
            path.into_iter().fold(command, |command, path| command.variable("PATH", path)).run()
        };
        let error = "error: no program \"shoptests\" in the image docker.io/library/postgres:17\n";
        let hint = "hint: this machine has it: `pg-ephemeral host run-env -- shoptests …` runs it here\n";
        run(Some(&path_with_own(&project))).status(127).stdout("").stderr(&format!("{error}{hint}"));
        run(None).status(127).stdout("").stderr(error);
        let journal = project.engine_journal(engine);
        assert!(!journal.contains("docker-entrypoint.sh"), "the image was started: {journal}");
        project.assert_nothing_left();
    }
}
