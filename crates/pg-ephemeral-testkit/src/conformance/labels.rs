//! Labels of containers, and listings of containers filtered by labels.

use std::sync::Arc;

use ociman::ContainerState;
use ociman::label::{Filter, Key, Labels, Value};

use super::expect::{Outcome, equal, some};
use super::stage::{MARK, Stage};

const COLOUR: Key = Key::from_static("ociman.conformance.colour");
const SIZE: Key = Key::from_static("ociman.conformance.size");
const RED: Value = Value::from_static("red");
const BLUE: Value = Value::from_static("blue");

/// Labels that could be changed on their way from the caller to the engine and back.
pub(super) const UNUSUAL: [(Key, Value); 12] = [
    (Key::from_static("t.json"), Value::from_static(r#"[{"name": "a b", "path": "x/y", "n": 1.5, "q": "\""}]"#)),
    (Key::from_static("t.commas"), Value::from_static("a=b,c=d,,")),
    (Key::from_static("t.quotes"), Value::from_static(r#""double" 'single' `back`"#)),
    (Key::from_static("t.only-quotes"), Value::from_static(r#""""#)),
    (Key::from_static("t.one-quote"), Value::from_static("\"")),
    (Key::from_static("t.backslashes"), Value::from_static(r"\ \\ \n \$ \")),
    (Key::from_static("t.variables"), Value::from_static("$PATH ${PATH} $$ {{.ID}} %s ~")),
    (Key::from_static("t.spaces"), Value::from_static("  before and after  ")),
    (Key::from_static("t.unicode"), Value::from_static("zażółć 🦀 \u{202e}")),
    (Key::from_static("t.dash"), Value::from_static("--name")),
    (Key::from_static("t.markup"), Value::from_static("<a&b>; # | * ? [x]")),
    (Key::from_static("T_UPPER-9/slash:colon@at"), Value::from_static("key with marks")),
];

/// Labels whose values have several lines.
pub(super) const LINES: [(Key, Value); 3] = [
    (Key::from_static("t.pem"), Value::from_static("-----BEGIN X-----\nMIIB+/=\nabc=\n-----END X-----\n")),
    (Key::from_static("t.lines"), Value::from_static("\n a \n\n\tb \\\n# c\n")),
    (Key::from_static("t.crlf"), Value::from_static("a\r\nb\rc")),
];

/// Returns the labels whose keys are in `given`, to ignore those that an image brings.
pub(super) fn of(labels: &Labels, given: &[(Key, Value)]) -> Labels {
    given.iter().filter_map(|(key, _)| Some((key.clone(), labels.get(key)?.clone()))).collect()
}

pub(super) async fn labels_of_a_container_come_back_as_they_were_given(stage: Arc<Stage>) -> Outcome {
    let mut spec = stage.idle("a")?;
    let given = [&UNUSUAL[..], &LINES[..]].concat();
    spec.labels.extend(given.iter().cloned());
    let container = stage.run(&spec).await?;
    let info = container.inspect().await?;
    equal("labels", of(&info.labels, &given), Labels::from_iter(given))
}

/// Starts three containers: `red`, `red-big` and `blue`. Each has a colour label, and `red-big` also has a size label.
async fn three(stage: &Stage) -> Outcome {
    let big = Value::from_static("big");
    stage.run(&stage.idle("red")?.label(COLOUR, RED)).await?;
    stage.run(&stage.idle("red-big")?.label(COLOUR, RED).label(SIZE, big)).await?;
    stage.run(&stage.idle("blue")?.label(COLOUR, BLUE)).await?;
    Ok(())
}

/// Returns the last part of the names of the containers of this case that match all filters.
async fn matching(stage: &Stage, filters: &[Filter]) -> Outcome<Vec<String>> {
    let filters = [&[stage.filter()?], filters].concat();
    let prefix = format!("{}-", stage.mark());
    let found = stage.backend().list(&filters, &[]).await?;
    let mut names: Vec<_> = found.into_iter().map(|container| container.name.replace(&prefix, "")).collect();
    names.sort();
    Ok(names)
}

pub(super) async fn a_listing_is_filtered_by_key(stage: Arc<Stage>) -> Outcome {
    three(&stage).await?;
    equal("with a size", matching(&stage, &[Filter::key_only(&SIZE)]).await?, vec!["red-big".to_owned()])?;
    let names = matching(&stage, &[Filter::key_only(&COLOUR)]).await?;
    equal("with a colour", names, ["blue", "red", "red-big"].map(str::to_owned).to_vec())
}

pub(super) async fn a_listing_is_filtered_by_key_and_value(stage: Arc<Stage>) -> Outcome {
    three(&stage).await?;
    let red = matching(&stage, &[Filter::exact(&COLOUR, &RED)]).await?;
    equal("red ones", red, ["red", "red-big"].map(str::to_owned).to_vec())?;
    equal("blue ones", matching(&stage, &[Filter::exact(&COLOUR, &BLUE)]).await?, vec!["blue".to_owned()])
}

pub(super) async fn all_filters_of_a_listing_must_match(stage: Arc<Stage>) -> Outcome {
    three(&stage).await?;
    let filters = [Filter::exact(&COLOUR, &RED), Filter::key_only(&SIZE)];
    equal("red ones with a size", matching(&stage, &filters).await?, vec!["red-big".to_owned()])?;
    let filters = [Filter::exact(&COLOUR, &BLUE), Filter::key_only(&SIZE)];
    equal("blue ones with a size", matching(&stage, &filters).await?, Vec::new())
}

pub(super) async fn a_filter_is_not_a_pattern(stage: Arc<Stage>) -> Outcome {
    three(&stage).await?;
    let star = Filter::key_only(&Key::from_static("ociman.conformance.*"));
    equal("a key with a star", matching(&stage, &[star]).await?, Vec::new())?;
    let start = Filter::exact(&COLOUR, &Value::from_static("re"));
    equal("the start of a value", matching(&stage, &[start]).await?, Vec::new())?;
    let star = Filter::exact(&COLOUR, &Value::from_static("r*"));
    equal("a value with a star", matching(&stage, &[star]).await?, Vec::new())
}

pub(super) async fn a_filter_value_may_hold_unusual_characters(stage: Arc<Stage>) -> Outcome {
    let mut spec = stage.idle("a")?;
    spec.labels.extend(UNUSUAL);
    stage.run(&spec).await?;
    for (key, value) in UNUSUAL {
        let what = key.to_string();
        equal(&what, matching(&stage, &[Filter::exact(&key, &value)]).await?, vec!["a".to_owned()])?;
    }
    Ok(())
}

pub(super) async fn a_listing_gives_only_the_labels_asked_for(stage: Arc<Stage>) -> Outcome {
    stage.run(&stage.idle("a")?.label(COLOUR, RED).label(SIZE, BLUE)).await?;
    let missing = Key::from_static("ociman.conformance.missing");
    let found = stage.backend().list(&[stage.filter()?, Filter::key_only(&SIZE)], &[COLOUR, missing]).await?;
    let container = some("the container", found.into_iter().next())?;
    equal("labels", container.labels, Labels::from_iter([(COLOUR, RED)]))?;
    let found = stage.backend().list(&[stage.filter()?], &[]).await?;
    equal("labels when none is asked for", some("the container", found.into_iter().next())?.labels, Labels::new())
}

pub(super) async fn listed_label_values_with_commas_and_line_breaks_stay_whole(stage: Arc<Stage>) -> Outcome {
    let mut spec = stage.idle("a")?;
    let given = [&UNUSUAL[..], &LINES[..]].concat();
    spec.labels.extend(given.iter().cloned());
    stage.run(&spec).await?;
    let keys: Vec<Key> = given.iter().map(|(key, _)| key.clone()).collect();
    let found = stage.backend().list(&[stage.filter()?], &keys).await?;
    equal("labels", some("the container", found.into_iter().next())?.labels, Labels::from_iter(given))
}

pub(super) async fn a_listing_has_stopped_containers_with_their_state(stage: Arc<Stage>) -> Outcome {
    stage.running("running").await?;
    let ended = stage.run(&stage.script("ended", "exit 0")?).await?;
    ended.wait().await?;
    stage.ended(&ended).await?;
    let mut found = stage.backend().list(&[stage.filter()?], &[MARK]).await?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let states: Vec<_> = found.iter().map(|container| container.state).collect();
    equal("states of ended, running", states, vec![ContainerState::Exited, ContainerState::Running])
}

pub(super) async fn a_listing_without_a_match_is_empty(stage: Arc<Stage>) -> Outcome {
    equal("containers", stage.backend().list(&[stage.filter()?], &[MARK]).await?, Vec::new())
}
