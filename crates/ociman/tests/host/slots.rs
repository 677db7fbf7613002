//! How the host backend keeps copies of images for reuse.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::support::{TestHost, eventually, spec};
use ociman::Backend;
use ociman::host::{Host, SlotLimits};

const FILES: &[(&str, &str)] = &[("data", "original\n"), ("folder/other", "other\n"), ("empty", "")];

#[tokio::test]
async fn a_slot_is_used_again_with_the_content_of_the_image() {
    let test = TestHost::new();
    let script = "cd $OCIMAN_ROOT; cat data folder/other; rm -r folder; echo changed > data; echo new > new; echo done; exec sleep 600";
    let image = test.shell_image("test/image:1", script, FILES).await;
    let mut used = BTreeSet::new();
    for number in 0..5 {
        let name = format!("run-{number}");
        let mut container = test.run(&name, &image).await;
        let log = test.state.path().join("containers").join(&name).join("log");
        eventually("it has done its work", || std::fs::read_to_string(&log).unwrap().contains("done"));
        assert_eq!(container.last_log_lines(3).await.unwrap(), "original\nother\ndone\n");
        container.remove_force().await.unwrap();
        let slots = test.host.slots().await.unwrap();
        used.extend(slots.iter().map(|slot| slot.path.clone()));
        assert!(!slots[0].in_use);
        assert_eq!(slots[0].size, 15);
        let root = slots[0].path.join("root");
        assert_eq!(std::fs::read_to_string(root.join("data")).unwrap(), "original\n");
        assert!(root.join("folder/other").exists() && !root.join("new").exists());
    }
    assert_eq!(used.len(), 1);
}

#[tokio::test]
async fn an_image_without_files_needs_no_slot() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let mut container = test.run("one", &image).await;
    assert_eq!(test.host.slots().await.unwrap(), []);
    assert!(test.state.path().join("containers/one/root").is_dir());
    container.remove_force().await.unwrap();
}

#[tokio::test]
async fn containers_that_run_at_once_have_files_of_their_own() {
    let test = TestHost::new();
    let script = "cd $OCIMAN_ROOT; cat data; echo $$ > data; while :; do sleep 0.05; cat data; done";
    let image = test.shell_image("test/image:1", script, FILES).await;
    for _ in 0..3 {
        let runs: Vec<_> = (0..8)
            .map(|number| {
                let (backend, spec) = (test.backend.clone(), spec(&format!("run-{number}"), &image));
                tokio::spawn(async move { backend.run(&spec).await.unwrap() })
            })
            .collect();
        let mut containers = Vec::new();
        for run in runs {
            containers.push(run.await.unwrap());
        }
        let slots = test.host.slots().await.unwrap();
        assert_eq!(slots.iter().filter(|slot| slot.in_use).count(), 8);
        for container in &containers {
            let pid = test.process_of(container.name().as_str()).unwrap().to_string();
            let log = test.state.path().join("containers").join(container.name().as_str()).join("log");
            eventually("it has seen its own change", || std::fs::read_to_string(&log).unwrap().lines().count() > 2);
            let log = std::fs::read_to_string(&log).unwrap();
            let lines: Vec<&str> = log.lines().collect();
            assert_eq!((lines[0], lines[1], lines[2]), ("original", pid.as_str(), pid.as_str()));
        }
        let removals =
            containers.into_iter().map(|mut container| tokio::spawn(async move { container.remove_force().await }));
        for removal in removals.collect::<Vec<_>>() {
            removal.await.unwrap().unwrap();
        }
    }
    let slots = test.host.slots().await.unwrap();
    assert!(slots.len() <= SlotLimits::default().per_image, "{}", slots.len());
    assert!(slots.iter().all(|slot| !slot.in_use));
}

#[tokio::test]
async fn no_more_slots_are_kept_than_the_limits_allow() {
    let test = TestHost::new();
    let limits = SlotLimits { per_image: 2, total: 3, bytes: 1 << 20, idle_bytes: 1 << 20 };
    let backend = Backend::host(test.host.clone().with_slot_limits(limits));
    let images = [
        test.shell_image("test/one:1", "exec sleep 600", FILES).await,
        test.shell_image("test/two:1", "exec sleep 600", FILES).await,
    ];
    for image in &images {
        let mut containers = Vec::new();
        for number in 0..4 {
            containers.push(backend.run(&spec(&format!("run-{number}"), image)).await.unwrap());
        }
        for mut container in containers {
            container.remove_force().await.unwrap();
        }
    }
    let slots = test.host.slots().await.unwrap();
    assert_eq!(slots.len(), 2, "{slots:?}");
    // The slots that had been idle for longest were removed.
    assert_eq!(slots.iter().map(|slot| &slot.image_id).collect::<BTreeSet<_>>().len(), 1);
}

#[tokio::test]
async fn idle_slots_are_limited_by_size_but_the_last_one_is_kept() {
    let test = TestHost::new();
    let image = test.shell_image("test/one:1", "exec sleep 600", FILES).await;
    // A slot of this image has 15 bytes.
    for (idle_bytes, kept) in [(10, 1), (29, 1), (30, 2), (1 << 20, 3)] {
        let limits = SlotLimits { idle_bytes, ..SlotLimits::default() };
        let backend = Backend::host(test.host.clone().with_slot_limits(limits));
        let mut containers = Vec::new();
        for number in 0..3 {
            containers.push(backend.run(&spec(&format!("run-{number}"), &image)).await.unwrap());
        }
        for container in &mut containers {
            container.remove_force().await.unwrap();
        }
        assert_eq!(test.host.slots().await.unwrap().len(), kept, "{idle_bytes}");
    }
}

#[tokio::test]
async fn slots_are_removed_with_their_image_and_by_pruning() {
    let test = TestHost::new();
    let image = test.shell_image("test/one:1", "exec sleep 600", FILES).await;
    let mut running = test.run("running", &image).await;
    test.run("other", &image).await.remove_force().await.unwrap();
    let pruned = test.host.prune_slots(|_| true).await.unwrap();
    assert_eq!((pruned.len(), pruned[0].in_use), (1, false));
    assert_eq!(test.host.slots().await.unwrap().len(), 1);
    // The name is given to another image; the slot in use is removed when it is released.
    let image = test.shell_image("test/one:1", "exec sleep 601", FILES).await;
    assert_eq!(test.host.slots().await.unwrap().len(), 1);
    running.remove_force().await.unwrap();
    assert_eq!(test.host.slots().await.unwrap(), []);
    test.run("other", &image).await.remove_force().await.unwrap();
    assert_eq!(test.host.slots().await.unwrap().len(), 1);
    test.backend.remove_image(&image).await.unwrap();
    assert_eq!(test.entries("slots"), Vec::<String>::new());
    assert_eq!(test.entries("images"), Vec::<String>::new());
}

#[tokio::test]
async fn leftovers_of_killed_calls_are_swept_and_those_of_living_ones_are_not() {
    let test = TestHost::new();
    let image = test.shell_image("test/one:1", "exec sleep 600", FILES).await;
    test.run("one", &image).await.remove_force().await.unwrap();
    let space = {
        use std::os::unix::fs::MetadataExt;
        let namespace = std::fs::metadata("/proc/self/ns/pid").unwrap().ino();
        format!("{}{namespace}", &ociman::host::boot_id()[..8])
    };
    let own = ociman::host::ProcessIdentity::current();
    let dead = format!(".{space}-{}-{}-1", own.pid, own.start + 1);
    let living = format!(".{space}-{}-{}-4711", own.pid, own.start);
    let elsewhere = ".another12-1-1-1".to_owned();
    for folder in ["containers", "images", "slots"] {
        for leftover in [&dead, &living, &elsewhere] {
            std::fs::create_dir_all(test.state.path().join(folder).join(leftover).join("root")).unwrap();
        }
    }
    test.host.prune_slots(|_| false).await.unwrap();
    for folder in ["containers", "images", "slots"] {
        let entries = test.entries(folder);
        assert!(!entries.contains(&dead), "{folder}: {entries:?}");
        assert!(entries.contains(&living) && entries.contains(&elsewhere), "{folder}: {entries:?}");
    }
    assert_eq!(test.host.slots().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_slot_from_another_boot_is_restored_completely() {
    let test = TestHost::new();
    let image = test.shell_image("test/one:1", "cat $OCIMAN_ROOT/data; exec sleep 600", FILES).await;
    test.run("one", &image).await.remove_force().await.unwrap();
    let slot: PathBuf = test.host.slots().await.unwrap().remove(0).path;
    // As after a crash of the machine: the content is lost, but the metadata in the file system is unchanged.
    std::fs::write(slot.join("root/data"), "????????\n").unwrap();
    let state = std::fs::read_to_string(slot.join("state")).unwrap();
    std::fs::write(slot.join("state"), state.replace(ociman::host::boot_id(), "00000000-0000-0000-0000-000000000000"))
        .unwrap();
    let mut container = test.run("one", &image).await;
    let log = test.state.path().join("containers/one/log");
    eventually("it has printed", || std::fs::read_to_string(&log).unwrap() == "original\n");
    container.remove_force().await.unwrap();
    assert_eq!(test.host.slots().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stopped_container_keeps_its_slot() {
    let test = TestHost::new();
    let image = test.shell_image("test/one:1", "echo mine >> $OCIMAN_ROOT/data; exec sleep 600", FILES).await;
    let stopped = test.run("stopped", &image).await;
    let slot = test.host.slots().await.unwrap().remove(0).path;
    eventually("it has written", || std::fs::read_to_string(slot.join("root/data")).unwrap().ends_with("mine\n"));
    stopped.stop(std::time::Duration::from_secs(5)).await.unwrap();
    assert!(test.host.slots().await.unwrap()[0].in_use);
    assert_eq!(test.host.prune_slots(|_| true).await.unwrap(), []);
    // Another `Host` value, as another process would have, sees the same.
    let other = Backend::host(Host::at(test.state.path()));
    other.run(&spec("other", &image)).await.unwrap().remove_force().await.unwrap();
    assert_eq!(std::fs::read_to_string(slot.join("root/data")).unwrap(), "original\nmine\n");
    stopped.remove().await.unwrap();
    assert_eq!(std::fs::read_to_string(slot.join("root/data")).unwrap(), "original\n");
}
