//! Looks for leftovers of a run that had the chance to clean up, and for leftovers of all runs after `gc`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::stage::{Folder, Stage, Who};

type Checks = Vec<(&'static str, Vec<String>)>;

/// The time limit for processes that end by themselves.
const ENDING_LIMIT: Duration = Duration::from_secs(10);

/// Returns the leftovers of a run that was not killed. Leftovers of other runs are ignored.
pub(crate) fn of_owner(stage: &Stage, state: Folder, instance: u64, pid: u32) -> Result<Vec<String>, Failure> {
    let mut left = Vec::new();
    // A record has the owner as JSON, and a label has it as JSON within JSON.
    let owned = |text: &str| text.contains(&format!("\"pid\":{pid},")) || text.contains(&format!("\\\"pid\\\":{pid},"));
    let state = stage.state(state);
    for folder in [records(&state), containers(&state)] {
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
    left.extend(drafts(&state).iter().filter(own_draft).map(|draft| format!("{draft} is still there")));
    for id in stage.engine_has(&["ps", "--all"], instance)? {
        let labels = stage.engine(&["inspect", "--format", "{{json .Config.Labels}} {{.State.Status}}", &id]);
        let labels = labels.unwrap_or_default().join(" ");
        if owned(&labels) {
            left.push(format!("container {id} is still there: {labels}"));
        }
    }
    Ok(left)
}

/// Runs `gc` once for each state folder, stops all sessions, and checks that nothing is left and that every instance
/// still boots. `segments` are the shared memory segments from before all runs.
pub(crate) fn after_gc(stage: &Stage, instances: u64, segments: &BTreeSet<String>) -> Result<Checks, Failure> {
    let bystander = stage.check_session(Who::Bystander);
    let mut gc = Vec::new();
    for folder in Folder::ALL {
        let status = stage.command(folder, 0, &["gc"])?.status()?;
        if !status.success() {
            gc.push(format!("{status}, it printed:\n{}", stage.printed()));
        }
    }
    let mut checks = vec![
        ("the session that no run is about answers after all runs", bystander),
        ("gc", gc),
        ("servers right after gc", more_servers_than_sessions(stage)),
        ("the session that no run is about answers after gc", stage.check_session(Who::Bystander)),
        ("the session that runs change answers after gc", stage.check_session(Who::Victim)),
        ("the sessions are stopped", failure(stage.succeed(0, &["session", "stop", "--all"]))),
        ("sessions", listed_sessions(stage)),
        ("processes", lasting_processes(stage)),
        ("containers", engine_containers(stage, instances)?),
        ("temporary files", temporary(stage)),
        ("segments of shared memory", self::segments().difference(segments).cloned().collect()),
    ];
    for state in Folder::ALL.map(|folder| stage.state(folder)) {
        checks.extend([
            ("folders of containers", shown(entries(&containers(&state)))),
            ("records of servers", shown(entries(&records(&state)))),
            ("drafts in the state folder", drafts(&state)),
        ]);
    }
    let broken = (0..instances).filter_map(|instance| Some(stage.boot(instance).err()?.to_string()));
    checks.push(("every instance boots again", broken.collect()));
    checks.push(("images", engine_images(stage, instances)?));
    Ok(checks)
}

fn failure<T>(result: Result<T, Failure>) -> Vec<String> {
    result.err().iter().map(ToString::to_string).collect()
}

/// Returns the lines of `session list` that show sessions of this stage.
fn listed_sessions(stage: &Stage) -> Vec<String> {
    match stage.succeed(0, &["session", "list"]) {
        Ok(list) => list.lines().filter(|line| line.contains(&stage.marker)).map(str::to_owned).collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// Returns the System V shared memory segments that no process uses and whose creator has ended. The number of segments
/// on a machine is limited, so leftovers are a problem.
pub(crate) fn segments() -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let is_left = |fields: &[&str]| {
        let maker_is_gone = fields.get(4).is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        maker_is_gone && fields.get(6) == Some(&"0")
    };
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter(|fields| is_left(fields)).map(|fields| format!("key {} id {}", fields[0], fields[1])).collect()
}

fn records(state: &Path) -> PathBuf {
    state.join("pg-ephemeral/servers")
}

fn containers(state: &Path) -> PathBuf {
    state.join("ociman/containers")
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

/// Reports running servers if there are more servers than sessions. `gc` waits for the end of servers that it stops.
fn more_servers_than_sessions(stage: &Stage) -> Vec<String> {
    let marker = format!("chaos.marker={}", stage.marker);
    let is_server = |process: &PathBuf| {
        // An ending process has no program any more, and the child processes of a server have other arguments.
        let program = fs::read_link(process.join("exe")).unwrap_or_default();
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        program.ends_with("postgres") && String::from_utf8_lossy(&arguments).contains(&marker)
    };
    let servers: Vec<_> = entries(Path::new("/proc")).into_iter().filter(is_server).collect();
    let sessions = listed_sessions(stage);
    if servers.len() <= sessions.len() {
        return Vec::new();
    }
    vec![format!("servers: {servers:?}\nsessions:\n{}", sessions.join("\n"))]
}

/// Returns the processes that don't end by themselves. Helper processes of an engine end shortly after the engine's
/// command.
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

/// Returns the processes that use the folders of the stage, and the servers, which have its marker in their arguments.
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

/// Reports instances with more than one image, because each instance must have exactly one.
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

/// Returns draft files in a folder: files that are written under a temporary name and then renamed.
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
            // The folder for sockets is kept on purpose, but it must be empty.
            found.extend(entries(&path).iter().map(|path| path.display().to_string()));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}
