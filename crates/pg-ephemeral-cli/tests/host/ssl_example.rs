//! Runs the commands in the README of `examples/ssl`.

use std::fs;
use std::path::Path;

use crate::support::AMPLE;
use crate::support::site::Site;

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let site = Site::new("host");
    let project = site.project();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ssl");
    project.write("database.toml", fs::read(source.join("database.toml")).unwrap());
    let programs = project.root().join("programs");
    std::os::unix::fs::symlink(project.binary(), {
        fs::create_dir(&programs).unwrap();
        programs.join("pg-ephemeral")
    })
    .unwrap();

    let readme = fs::read_to_string(source.join("README.md")).unwrap();
    let commands: String = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let (change, commands) = commands.split_once('\n').unwrap();
    assert_eq!(change, "cd examples/ssl");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let ran = project
        .command(["-e", "-c", commands])
        .program("sh")
        .variable("PATH", path)
        .variable("OCIMAN_BACKEND", "host")
        .limit(2 * AMPLE)
        .run();
    ran.status(0).stdout(
        "hello\nt|TLSv1.3\nPGHOST=db.example.com\nPGHOSTADDR=127.0.0.1\nPGSSLMODE=verify-full\nPGSSLROOTCERT=[..]\n\
         postgres\nsession ssl-example runs on host\nhello\n",
    );
    let errors = ran.stderr_text();
    assert!(errors.contains("does not match host name \"localhost\"") && errors.contains("no encryption"), "{errors}");
    project.assert_nothing_left();
}
