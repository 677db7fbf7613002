//! Unusual arguments and labels of containers.

use std::sync::Arc;
use std::time::Duration;

use ociman::RunSpec;
use ociman::label::{Key, Value};

use super::exec::{PRINT, UNUSUAL, printed};
use super::expect::{Outcome, equal, some};
use super::stage::{ENTER, Stage};

/// Runs a container and returns its arguments as its process received them.
async fn seen(stage: &Stage, spec: &RunSpec) -> Outcome<String> {
    let container = stage.run(spec).await?;
    for _ in 0..100 {
        if container.last_log_lines(1).await?.contains("written") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.shell(&container, &format!("{ENTER}; cat conformance-arguments")).await
}

/// Returns a script that writes its arguments to a file, because a log may add a line break to the last line.
fn write() -> String {
    format!("{ENTER}; {{ {PRINT}; }} > conformance-arguments; echo written; sleep 600")
}

pub(super) async fn arguments_of_a_container_arrive_as_they_were_given(stage: Arc<Stage>) -> Outcome {
    let spec = stage.script("a", &write())?.arguments(["sh"]).arguments(UNUSUAL);
    equal("arguments", seen(&stage, &spec).await?, printed())
}

pub(super) async fn arguments_follow_the_whole_entrypoint(stage: Arc<Stage>) -> Outcome {
    let spec = stage.idle("a")?.entrypoint(["sh", "-c", &write(), "sh", "one", ""]).arguments(["two", ""]);
    equal("arguments", seen(&stage, &spec).await?.as_str(), "[one][][two][]")
}

pub(super) async fn a_label_may_be_long(stage: Arc<Stage>) -> Outcome {
    let key = Key::from_static("t.long");
    let value = Value::try_from("0123456789abcdef".repeat(4096))?;
    let container = stage.run(&stage.idle("a")?.label(key.clone(), value.clone())).await?;
    let info = container.inspect().await?;
    equal("label of an inspection", info.labels.get(&key), Some(&value))?;
    let listed = stage.backend().list(&[stage.filter()?], std::slice::from_ref(&key)).await?;
    let listed = some("the container", listed.into_iter().next())?;
    equal("label of a listing", listed.labels.get(&key), Some(&value))
}
