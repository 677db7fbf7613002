//! Environments of containers and of commands in them.

use std::sync::Arc;

use ociman::{ExecSpec, Secret, Variable};

use super::exec::UNUSUAL;
use super::expect::{Outcome, equal, holds, text};
use super::stage::Stage;

pub(super) async fn variables_of_a_container_reach_its_process_and_its_commands(stage: Arc<Stage>) -> Outcome {
    let spec =
        stage.script("a", "trap 'exit 0' TERM INT; echo \"[$GREETING]\"; while :; do sleep 1 & wait $!; done")?;
    let container = stage.run(&spec.variable(Variable::plain("GREETING", "hello  world"))).await?;
    equal("for a command", stage.shell(&container, "echo \"[$GREETING]\"").await?.as_str(), "[hello  world]\n")?;
    stage.says(&container, "hello").await?;
    container.stop(std::time::Duration::from_secs(30)).await?;
    equal("for the process", container.last_log_lines(9).await?.as_str(), "[hello  world]\n")
}

pub(super) async fn variables_of_a_command_override_those_of_its_container(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.idle("a")?.variable(Variable::plain("WHO", "container"))).await?;
    let spec = ExecSpec::new(["sh", "-c", "echo $WHO"]).variable(Variable::plain("WHO", "command"));
    text("variable", &container.exec(&spec, b"").await?.stdout, "command\n")?;
    equal("of another command", stage.shell(&container, "echo $WHO").await?.as_str(), "container\n")
}

pub(super) async fn secret_variables_reach_their_process(stage: Arc<Stage>) -> Outcome {
    let value = "pass word=\"1\", $x";
    let secret = || Variable::secret("CONFORMANCE_SECRET", Secret::new(value));
    let script = "trap 'exit 0' TERM INT; echo \"$CONFORMANCE_SECRET\"; while :; do sleep 1 & wait $!; done";
    let container = stage.run(&stage.script("a", script)?.variable(secret())).await?;
    let spec = ExecSpec::new(["sh", "-c", "echo \"$CONFORMANCE_SECRET\""]).variable(secret());
    text("for a command", &container.exec(&spec, b"").await?.stdout, &format!("{value}\n"))?;
    stage.says(&container, value).await?;
    container.stop(std::time::Duration::from_secs(30)).await?;
    equal("for the process", container.last_log_lines(9).await?, format!("{value}\n"))
}

pub(super) async fn values_of_variables_arrive_as_they_were_given(stage: Arc<Stage>) -> Outcome {
    let named = |prefix: &'static str| {
        let numbered = UNUSUAL.iter().enumerate();
        numbered.map(move |(number, value)| Variable::plain(format!("{prefix}_{number}"), *value))
    };
    let mut spec = stage.idle("a")?;
    spec.environment.extend(named("C"));
    let container = stage.run(&spec).await?;
    let both: String = UNUSUAL.iter().map(|value| format!("[{value}|{value}]")).collect();
    let script: String =
        (0..UNUSUAL.len()).map(|number| format!("printf '[%s|%s]' \"$C_{number}\" \"$E_{number}\";")).collect();
    let mut spec = ExecSpec::new(["sh", "-c", &script]);
    spec.environment.extend(named("E"));
    text("values", &container.exec(&spec, b"").await?.stdout, &both)
}

pub(super) async fn an_inspection_lists_the_variables_of_a_container(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.idle("a")?.variable(Variable::plain("WHO", "a=b, \"c\""))).await?;
    let environment = container.inspect().await?.environment;
    holds("the variable is told", environment.iter().any(|entry| entry == "WHO=a=b, \"c\""), &environment)
}
