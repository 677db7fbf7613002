//! Which files images share, and that nothing else shares them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ociman::{CommitSpec, Container, Reference};

use crate::support::{TestHost, reference};

/// Longer than the time within which two changes of a file may look like one.
const TICKS: Duration = Duration::from_millis(60);

const LARGE: usize = 70 << 20;

/// The files of a tree with their inodes and numbers of names.
fn files(root: &Path) -> BTreeMap<PathBuf, (u64, u64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            match metadata.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().to_owned();
                    found.insert(name, (metadata.ino(), metadata.nlink()));
                }
            }
        }
    }
    found
}

struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The root folder of the newest image.
    fn of_newest_image(test: &TestHost) -> Self {
        let images = test.entries("images").into_iter().map(|id| test.state.path().join("images").join(id));
        let newest = images.max_by_key(|image| image.join("config.json").metadata().unwrap().modified().unwrap());
        Self { root: newest.unwrap().join("root") }
    }

    fn inode(&self, file: &str) -> u64 {
        self.root.join(file).metadata().unwrap().ino()
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.root.join(file)).unwrap()
    }
}

/// Starts a container whose slot is older than the time within which changes can't be told apart.
async fn run(test: &TestHost, name: &str, image: &Reference) -> Container {
    let mut first = test.run("first", image).await;
    first.remove_force().await.unwrap();
    std::thread::sleep(TICKS);
    test.run(name, image).await
}

async fn commit(test: &TestHost, container: &Container, image: &str) -> Tree {
    std::thread::sleep(TICKS);
    container.commit(&CommitSpec::new(reference(image))).await.unwrap();
    Tree::of_newest_image(test)
}

async fn root_of(test: &TestHost, container: &Container) -> PathBuf {
    test.host.root_folder(container.name()).await.unwrap()
}

#[tokio::test]
async fn a_commit_shares_the_files_that_have_not_changed() {
    let test = TestHost::new();
    let image = test.shell_image("test/base:1", "exec sleep 600", &[("large", "content"), ("small", "1")]).await;
    let base = Tree::of_newest_image(&test);
    let container = run(&test, "one", &image).await;
    let root = root_of(&test, &container).await;

    fs::write(root.join("small"), "2").unwrap();
    let first = commit(&test, &container, "test/one:1").await;
    assert_eq!(first.inode("large"), base.inode("large"));
    assert_eq!((base.text("small"), first.text("small")), ("1".to_owned(), "2".to_owned()));

    // The second commit shares files with the first one, not only with the image of the container.
    container.start().await.unwrap();
    fs::write(root.join("new"), "3").unwrap();
    let second = commit(&test, &container, "test/two:1").await;
    assert_eq!((second.inode("large"), second.inode("small")), (base.inode("large"), first.inode("small")));
    assert_eq!(second.text("new"), "3");

    // A file that is replaced by an equal one, or changes only its permissions, is another file.
    container.start().await.unwrap();
    fs::copy(root.join("large"), root.join("draft")).unwrap();
    fs::rename(root.join("draft"), root.join("large")).unwrap();
    fs::set_permissions(root.join("small"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let third = commit(&test, &container, "test/three:1").await;
    assert_ne!(third.inode("large"), base.inode("large"));
    assert_ne!(third.inode("small"), first.inode("small"));
    assert_eq!(
        first.root.join("small").metadata().unwrap().mode() & 0o777,
        base.root.join("small").metadata().unwrap().mode() & 0o777
    );

    // The files stay while an image has them.
    for name in ["test/one:1", "test/three:1"] {
        test.backend.remove_image(&reference(name)).await.unwrap();
    }
    assert_eq!((second.text("large"), second.text("small")), ("content".to_owned(), "2".to_owned()));
    container.remove().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_commit_of_a_running_container_shares_files_too() {
    let test = TestHost::new();
    let image = test.shell_image("test/base:1", "exec sleep 600", &[("large", "content"), ("small", "1")]).await;
    let base = Tree::of_newest_image(&test);
    let container = run(&test, "one", &image).await;
    let root = root_of(&test, &container).await;
    for (number, content) in [(1, "2"), (2, "3")] {
        fs::write(root.join("small"), content).unwrap();
        std::thread::sleep(TICKS);
        let spec = CommitSpec::new(reference(&format!("test/live:{number}")));
        test.host.commit_live(container.name(), &spec, &["left"]).await.unwrap();
        let live = Tree::of_newest_image(&test);
        assert_eq!((live.inode("large"), live.text("small")), (base.inode("large"), content.to_owned()));
        fs::write(root.join("left"), "only the processes need this").unwrap();
    }
    assert!(!Tree::of_newest_image(&test).root.join("left").exists());
}

#[tokio::test]
async fn no_file_of_a_container_is_shared_and_writing_to_all_of_them_changes_no_image() {
    let test = TestHost::new();
    let contents: Vec<(String, String)> = (0..100).map(|n| (format!("folder/{n}"), format!("{n}"))).collect();
    let contents: Vec<(&str, &str)> = contents.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let image = test.shell_image("test/base:1", "exec sleep 600", &contents).await;
    let container = run(&test, "one", &image).await;
    let root = root_of(&test, &container).await;
    fs::write(root.join("folder/7"), "changed").unwrap();
    let first = commit(&test, &container, "test/one:1").await;
    let shared = files(&first.root).values().filter(|(_, names)| *names == 2).count();
    assert_eq!(shared, 99);

    container.start().await.unwrap();
    let other = run(&test, "other", &reference("test/one:1")).await;
    for container in [&container, &other] {
        let root = root_of(&test, container).await;
        for (file, (_, names)) in files(&root) {
            assert_eq!(names, 1, "{}", file.display());
            fs::write(root.join(file), "overwritten in place").unwrap();
        }
    }
    for slot in test.host.slots().await.unwrap() {
        assert!(files(&slot.path.join("root")).values().all(|(_, names)| *names == 1), "{}", slot.path.display());
    }
    for (name, text) in contents {
        assert_eq!(first.text(name), if name == "folder/7" { "changed" } else { text }, "{name}");
    }
}

#[tokio::test]
async fn a_large_idle_slot_is_turned_into_one_of_an_image_that_shares_its_files() {
    let test = TestHost::new();
    let large = "x".repeat(LARGE);
    let image = test.shell_image("test/base:1", "exec sleep 600", &[("large", &large), ("small", "1")]).await;
    let mut container = run(&test, "one", &image).await;
    let root = root_of(&test, &container).await;
    fs::write(root.join("small"), "2").unwrap();
    fs::write(root.join("new"), "3").unwrap();
    let committed = commit(&test, &container, "test/one:1").await;
    container.start().await.unwrap();
    fs::write(root.join("small"), "4").unwrap();
    let inode = root.join("large").metadata().unwrap().ino();
    container.remove_force().await.unwrap();

    for (image, small) in [("test/one:1", "2"), ("test/base:1", "1"), ("test/one:1", "2")] {
        std::thread::sleep(TICKS);
        let mut container = test.run("next", &reference(image)).await;
        let root = root_of(&test, &container).await;
        assert_eq!(root.join("large").metadata().unwrap().ino(), inode);
        assert_eq!(fs::read_to_string(root.join("small")).unwrap(), small);
        assert_eq!(root.join("new").exists(), small == "2");
        assert_eq!(test.host.slots().await.unwrap().len(), 1);
        container.remove_force().await.unwrap();
    }
    assert_ne!(committed.inode("large"), inode);
}

#[tokio::test]
async fn a_slot_in_an_unknown_state_is_written_again() {
    let test = TestHost::new();
    let large = "x".repeat(LARGE);
    let image = test.shell_image("test/base:1", "exec sleep 600", &[("large", &large), ("small", "1")]).await;
    let mut container = run(&test, "one", &image).await;
    let slot = test.host.slots().await.unwrap().remove(0).path;
    container.remove_force().await.unwrap();
    // A conversion of the slot leaves this state if it is killed.
    fs::write(slot.join("state"), "{\"size\":1,\"boot\":\"\",\"usage\":\"Unknown\"}").unwrap();
    fs::write(slot.join("root/large"), "other").unwrap();
    let container = test.run("two", &image).await;
    let root = root_of(&test, &container).await;
    assert_eq!(root, slot.join("root"));
    assert_eq!(fs::read_to_string(root.join("large")).unwrap(), large);
}
