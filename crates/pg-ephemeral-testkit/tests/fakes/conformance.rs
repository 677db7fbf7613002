//! Runs the conformance suite on the fakes, which must pass the same cases as the real engines.

use pg_ephemeral_testkit::conformance::Subject;
use pg_ephemeral_testkit::{FakeBackend, FakeImage};

/// Returns a subject that keeps the fake alive. Dropping the subject removes the processes and files of the fake.
fn subject_of(fake: FakeBackend) -> Subject {
    let image = ociman::Reference::docker_official_image(ociman::PathComponent::from_static("conformance"));
    let fake = fake.with_image(FakeImage::new(image.to_string()).file("file", "text"));
    Subject::new(fake.backend(), image).keeping(fake)
}

mod docker {
    use super::*;

    async fn subject() -> Subject {
        subject_of(FakeBackend::docker())
    }

    pg_ephemeral_testkit::conformance_tests!(subject);
}

mod podman {
    use super::*;

    async fn subject() -> Subject {
        subject_of(FakeBackend::podman())
    }

    pg_ephemeral_testkit::conformance_tests!(subject);
}
