//! Runs the conformance suite on the host backend.

use ociman::host::{Host, HostImageConfig};
use ociman::{Backend, PathComponent, Reference};
use pg_ephemeral_testkit::conformance::Subject;

async fn subject() -> Subject {
    let state = tempfile::tempdir().expect("a folder for the state");
    let host = Host::at(state.path());
    let image = Reference::docker_official_image(PathComponent::from_static("conformance"));
    let mut config = HostImageConfig::new(["sh"]);
    config.diff_ids.push(format!("sha256:{}", "0".repeat(64)));
    host.create_image(&image, config, |root| std::fs::write(root.join("file"), "text")).await.expect("an image");
    Subject::new(Backend::host(host), image).keeping(state)
}

pg_ephemeral_testkit::conformance_tests!(subject);
