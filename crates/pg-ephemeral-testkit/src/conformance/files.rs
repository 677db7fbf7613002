//! Folders of this machine that are mounted in a container. The host backend mounts none, because its processes see the
//! file system of this machine anyway.

use std::path::PathBuf;
use std::sync::Arc;

use ociman::{Access, CommandError, Kind, Mount};

use super::expect::{Outcome, equal, refused};
use super::stage::Stage;

/// Creates a temporary folder on this machine. Dropping the value removes the folder.
fn folder() -> Outcome<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("conformance, \"ünï\" ").tempdir()?)
}

pub(super) async fn a_bound_folder_is_read_and_written(stage: Arc<Stage>) -> Outcome {
    let folder = folder()?;
    std::fs::write(folder.path().join("from-outside"), "outside\n")?;
    let mount = |target: &str, access| Mount::Bind { source: folder.path().to_owned(), target: target.into(), access };
    let spec = stage.idle("a")?.mount(mount("/mnt/conformance", Access::ReadWrite));
    if stage.kind() == Kind::Host {
        let result = stage.backend().run(&spec).await;
        return refused("a mount", result, "Unsupported", |error| matches!(error, CommandError::Unsupported { .. }));
    }
    let container = stage.run(&spec).await?;
    let script = "cd mnt/conformance; cat from-outside; echo inside > from-inside";
    equal("a file from outside", stage.shell(&container, script).await?.as_str(), "outside\n")?;
    equal("a file from inside", std::fs::read_to_string(folder.path().join("from-inside"))?.as_str(), "inside\n")
}

pub(super) async fn a_missing_folder_is_not_bound(stage: Arc<Stage>) -> Outcome {
    let source = PathBuf::from("/no/such/folder/of/conformance");
    let mount = Mount::Bind { source: source.clone(), target: "/mnt/conformance".into(), access: Access::ReadOnly };
    let spec = stage.idle("a")?.mount(mount);
    refused("a missing folder", stage.backend().run(&spec).await, "an error", |_| true)?;
    equal("the container is there", stage.is_there(&spec.name).await?, false)?;
    equal("the folder was made", source.exists(), false)
}

pub(super) async fn a_file_system_in_memory_is_writable(stage: Arc<Stage>) -> Outcome {
    let spec = stage.idle("a")?.mount(Mount::Tmpfs { target: "/mnt/memory".into() });
    let container = stage.run(&spec).await?;
    if stage.kind() == Kind::Host {
        return Ok(());
    }
    let text = stage.shell(&container, "cd mnt/memory; echo text > file; cat file").await?;
    equal("the file", text.as_str(), "text\n")
}
