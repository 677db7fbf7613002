//! Looks for leftovers: of one run that cleaned up after itself, and of all when the next command has.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::stage::Stage;

type Checks = Vec<(&'static str, Vec<String>)>;

/// How long what ends by itself may take to do so.
const ENDING_LIMIT: Duration = Duration::from_secs(10);

/// What a run that was not killed has left of its own. Others' leftovers are not its business.
pub(crate) fn of_owner(stage: &Stage, instance: u64, pid: u32) -> Result<Vec<String>, Failure> {
    let mut left = Vec::new();
    // In a record as it is, in a label as JSON in JSON.
    let owned = |text: &str| text.contains(&format!("\"pid\":{pid},")) || text.contains(&format!("\\\"pid\\\":{pid},"));
    for folder in [records(stage), containers(stage)] {
        for path in entries(&folder) {
            let file = if path.is_dir() { path.join("config.json") } else { path.clone() };
            if fs::read_to_string(file).is_ok_and(|text| owned(&text)) {
                left.push(format!("{} is still there", path.display()));
            }
        }
    }
    let own_draft = |draft: &&String| {
        let name = draft.rsplit('/').next().unwrap_or_default();
        name.starts_with(&format!(".{pid}-")) || name.ends_with(&format!("draft-{pid}"))
    };
    left.extend(drafts(&stage.state()).iter().filter(own_draft).map(|draft| format!("{draft} is still there")));
    for id in stage.engine_has(&["ps", "--all"], instance)? {
        let labels = stage.engine(&["inspect", "--format", "{{json .Config.Labels}} {{.State.Status}}", &id]);
        let labels = labels.unwrap_or_default().join(" ");
        if owned(&labels) {
            left.push(format!("container {id} is still there: {labels}"));
        }
    }
    Ok(left)
}

/// Runs `gc` once, and then nothing of anything may be there but the session, and every instance must still work.
pub(crate) fn after_gc(stage: &Stage, instances: u64) -> Result<Checks, Failure> {
    let session = stage.check_session();
    let status = stage.command(0, &["gc"])?.status()?;
    let gc = if status.success() { Vec::new() } else { vec![format!("{status}, it printed:\n{}", stage.printed())] };
    let mut checks = vec![
        ("the session answers after all runs", session),
        ("gc", gc),
        ("the session answers after gc", stage.check_session()),
        ("the session is stopped", stage.stop_session()),
        ("processes", lasting_processes(stage)),
        ("containers", engine_containers(stage, instances)?),
        ("folders of containers", shown(entries(&containers(stage)))),
        ("records of servers", shown(entries(&records(stage)))),
        ("drafts in the state folder", drafts(&stage.state())),
        ("temporary files", temporary(stage)),
    ];
    let broken = (0..instances).filter_map(|instance| Some(stage.boot(instance).err()?.to_string()));
    checks.push(("every instance boots again", broken.collect()));
    checks.push(("images", engine_images(stage, instances)?));
    Ok(checks)
}

fn records(stage: &Stage) -> PathBuf {
    stage.state().join("pg-ephemeral/servers")
}

fn containers(stage: &Stage) -> PathBuf {
    stage.state().join("ociman/containers")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn shown(paths: Vec<PathBuf>) -> Vec<String> {
    paths.iter().map(|path| with_content(path)).collect()
}

fn with_content(path: &Path) -> String {
    let mut text = path.display().to_string();
    let files = if path.is_dir() { entries(path) } else { vec![path.to_owned()] };
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let content = fs::read_to_string(&file).unwrap_or_default();
        text.push_str(&format!("\n{name}: {}", content.trim_end()));
    }
    text
}

/// Those that do not end by themselves: an engine's own helpers do, a moment after it said that all is done.
fn lasting_processes(stage: &Stage) -> Vec<String> {
    let deadline = Instant::now() + ENDING_LIMIT;
    loop {
        let found = processes(stage);
        if found.is_empty() || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Processes that work in the stage's folders, and servers, which have its marker among their arguments.
fn processes(stage: &Stage) -> Vec<String> {
    let base = stage.base().to_string_lossy().into_owned();
    let marker = format!("chaos.marker={}", stage.marker);
    let mut found = Vec::new();
    for process in entries(Path::new("/proc")) {
        let pid = process.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let Some(pid) = pid.filter(|pid| *pid != std::process::id()) else { continue };
        let read = |file: &str| String::from_utf8_lossy(&fs::read(process.join(file)).unwrap_or_default()).into_owned();
        let command = read("cmdline").replace('\0', " ");
        let linked = |path: &Path| fs::read_link(path).is_ok_and(|target| target.to_string_lossy().contains(&base));
        let is_ours =
            [command.as_str(), &read("environ")].iter().any(|text| text.contains(&base) || text.contains(&marker))
                || linked(&process.join("cwd"))
                || entries(&process.join("fd")).iter().any(|descriptor| linked(descriptor));
        if is_ours {
            let status = read("status");
            let state = status.lines().filter(|line| line.starts_with("State:") || line.starts_with("PPid:"));
            found.push(format!("{pid} ({}): {command}", state.collect::<Vec<_>>().join(", ")));
        }
    }
    found
}

fn engine_containers(stage: &Stage, instances: u64) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for instance in 0..instances {
        for id in stage.engine_has(&["ps", "--all"], instance)? {
            let format = "{{.Name}} {{.State.Status}} created {{.Created}} {{json .Config.Labels}}";
            found.push(stage.engine(&["inspect", "--format", format, &id]).unwrap_or_default().join(" "));
        }
    }
    Ok(found)
}

/// An image of an instance has its name; one without is the half of something.
fn engine_images(stage: &Stage, instances: u64) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for instance in 0..instances {
        let ids = stage.engine_has(&["images"], instance)?;
        if !ids.is_empty() && ids.len() != 1 {
            found.push(format!("instance {instance} has {}: {}", ids.len(), ids.join(", ")));
        }
    }
    Ok(found)
}

/// Files that are written beside their place and renamed, by their names.
fn drafts(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in entries(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name.contains("draft") {
            found.push(path.display().to_string());
        } else if path.is_dir() && name != "root" && !path.is_symlink() {
            found.extend(drafts(&path));
        }
    }
    found
}

fn temporary(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    for path in entries(&stage.temporary()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("pg-ephemeral-") && path.is_dir() {
            // The folder for sockets stays; what is in it may not.
            found.extend(entries(&path).iter().map(|path| path.display().to_string()));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}
