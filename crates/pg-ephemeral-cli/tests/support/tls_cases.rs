//! Test cases for TLS on Docker, Podman and the host.

use std::fs;
use std::path::Path;

use super::engine::{Engine, commands_of_a_start};
use super::site::Site;

const TLS: &str = "ssl_config = { hostname = \"db.example.com\" }";
const IS_ENCRYPTED: &str = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";

pub fn every_network_connection_to_a_session_verifies_the_server_certificate(backend: &'static str) {
    let site = Site::new(backend);
    site.configure(TLS, &[]);
    let name = site.name("tls");
    site.start(&name);
    let psql = ["psql", "-Atc", IS_ENCRYPTED];
    site.on(&name, &[&["host"], &psql[..]].concat()).run().status(0).stdout("t\n").stderr("");
    site.on(&name, &[&["run-env", "--"], &psql[..]].concat()).run().status(0).stdout("t\n").stderr("");
    let is_host = backend == "host";
    // Inside a container, the bare and the `container` form of psql connect over the socket.
    site.on(&name, &psql).run().status(0).stdout(if is_host { "t\n" } else { "f\n" }).stderr("");
    if !is_host {
        site.on(&name, &[&["container"], &psql[..]].concat()).run().status(0).stdout("f\n").stderr("");
    }
    for form in [&["host", "run-env"][..], &["run-env"]] {
        let other_name = "PGHOST=localhost psql -c 'select 1'";
        let refused = site.on(&name, &[form, &["--", "sh", "-c", other_name]].concat()).run();
        refused.status(2).stdout("").stderr("[..]does not match host name \"localhost\"\n");
        let no_tls = "PGSSLMODE=disable psql -c 'select 1'";
        let refused = site.on(&name, &[form, &["--", "sh", "-c", no_tls]].concat()).run();
        refused.status(2).stdout("").stderr("[..]no pg_hba.conf entry for host [..]no encryption\n");
    }

    let url = site.on(&name, &["url"]).run();
    let query = "sslmode=verify-full&sslrootcert=[..]&hostaddr=127.0.0.1";
    let printed = format!("postgresql://postgres:[..]@db.example.com:[..]/postgres?{query}\n");
    url.status(0).stdout(&printed).stderr("");
    let by_url = ["-Atc", IS_ENCRYPTED, url.stdout_text().trim()].map(str::to_owned);
    site.project().command(by_url).program("psql").run().status(0).stdout("t\n").stderr("");
    let environment = site.json(&["session", "--name", &name, "env"]);
    let ca_file = Path::new(environment["PGSSLROOTCERT"].as_str().unwrap());
    assert!(ca_file.exists());
    site.stop(&name);
    assert!(!ca_file.exists());
    site.assert_nothing_left();
}

pub fn a_warm_start_with_tls_takes_at_most_five_engine_commands(program: &'static str) {
    let engine = Engine::new(program);
    let (path, notes) = engine.noting();
    let options = ["--ssl-hostname", "localhost"];
    engine.command(&[&options[..], &["-q", "host", "run-env", "true"]].concat()).run().status(0);
    for form in [&["host", "psql", "-Atc", "show ssl"][..], &["psql", "-Atc", "show ssl"]] {
        engine.command(&[&options, form].concat()).variable("PATH", &path).run().status(0).stdout("on\n");
        let asked = fs::read_to_string(&notes).unwrap();
        let count = commands_of_a_start(&asked);
        assert!(count <= 5, "{form:?} asked {count} times:\n{asked}");
        fs::remove_file(&notes).unwrap();
    }
    let credentials = engine.command(&[&options[..], &["cache", "credentials"]].concat()).run();
    credentials.status(0).stderr("").stdout(
        "layer: [..]\nuser: postgres\ndatabase: postgres\npassword: [..]\nSSL host name: localhost\n\
         SSL certificate authority: none, each server is given one of its own\n",
    );
    engine.assert_nothing_left();
}
