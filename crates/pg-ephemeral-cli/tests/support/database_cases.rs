//! What copies of a session's seeded database do on docker, podman and the host alike.

use super::site::Site;

const BOOKS: &str =
    "type = \"sql-statement\"\nstatement = \"create table books as select n from generate_series(1, 3) n\"";
const CHANGE: &str = "psql -XAtc 'delete from books' -c 'select count(*) from books'; exit 7";

/// Every form of a command gets a copy of its own, and none is left.
pub fn a_command_gets_a_copy_that_goes_with_it(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("copies");
    site.configure("", &[("books", BOOKS)]);
    site.on(&name, &["start", "-q"]).run().status(0);
    let fresh =
        |words: &[&str]| site.on(&name, &[words, &["--fresh-database", "--", "sh", "-c", CHANGE]].concat()).run();
    fresh(&["run-env"]).status(7).stderr("").stdout("DELETE 3\n0\n");
    fresh(&["host", "run-env"]).status(7).stderr("").stdout("DELETE 3\n0\n");
    if backend != "host" {
        fresh(&["container", "run-env"]).status(7).stderr("").stdout("DELETE 3\n0\n");
    }
    assert_eq!(site.ask(&name, "select count(*) from books"), "3");
    assert_eq!(site.json(&["database", "list", "--session", &name]), serde_json::json!([]));
    site.stop(&name);
    site.assert_nothing_left();
}
