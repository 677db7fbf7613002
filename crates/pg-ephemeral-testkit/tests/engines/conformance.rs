//! Runs the conformance suite on the real engines. They must be installed and running, and both must have the image
//! below. `scripts/` sets them up. Test runs without engines exclude this binary by its name.

use ociman::{Backend, PathComponent, Reference, Tag};
use pg_ephemeral_testkit::conformance::Subject;

fn image() -> Reference {
    Reference::docker_official_image(PathComponent::from_static("postgres")).with_tag(Tag::from_static("15"))
}

mod docker {
    use super::*;

    async fn subject() -> Subject {
        Subject::new(Backend::docker(), image())
    }

    pg_ephemeral_testkit::conformance_tests!(subject);
}

mod podman {
    use super::*;

    async fn subject() -> Subject {
        Subject::new(Backend::podman(), image())
    }

    pg_ephemeral_testkit::conformance_tests!(subject);
}
