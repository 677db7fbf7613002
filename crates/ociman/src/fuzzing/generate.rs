//! Generates damaged outputs of engines: cut off, with fields that are missing, renamed or of another type, or with
//! text that does not belong there.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// Real outputs of each engine.
pub(super) const EXAMPLES: [&str; 10] = [
    include_str!("examples/version/docker.json"),
    include_str!("examples/version/podman.json"),
    include_str!("examples/docker_list/running.json"),
    include_str!("examples/podman_list/running.json"),
    include_str!("examples/containers/docker.json"),
    include_str!("examples/containers/podman.json"),
    include_str!("examples/images/docker.json"),
    include_str!("examples/images/podman.json"),
    include_str!("examples/docker_images/tagged-and-not.json"),
    include_str!("examples/podman_images/two-names.json"),
];

/// A change of one value in a JSON text.
#[derive(Debug, Clone)]
enum Damage {
    Remove,
    Replace(Value),
    Rename(String),
    Repeat,
}

/// A change of a text.
#[derive(Debug, Clone)]
enum Cut {
    End(Index),
    Insert(Index, String),
    Delete(Index, usize),
}

fn word() -> impl Strategy<Value = String> {
    let known = vec![
        "",
        "x",
        "running",
        "exited",
        "<none>",
        "<none>:<none>",
        "/",
        "a:b",
        "5432/tcp",
        "/tcp",
        "[::1]:1->2/tcp",
        "1->",
        "->/tcp",
        "a,b",
        "0.0.0.0",
        "::",
        "65536",
        "-1",
        "Id",
        "ID",
        "Names",
        "Labels",
        "PATH",
        "=",
        "\0",
        "é",
    ];
    prop_oneof![prop::sample::select(known).prop_map(str::to_owned), any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let deep = (0..200).fold(json!(null), |inner, _| json!([inner]));
    let odd = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(65536),
        json!(u64::MAX),
        json!(1.5),
        json!([]),
        json!({}),
        json!([null]),
        json!([[]]),
        json!({"": ""}),
        deep,
    ];
    prop_oneof![prop::sample::select(odd), word().prop_map(Value::from)]
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Remove),
        value().prop_map(Damage::Replace),
        word().prop_map(Damage::Rename),
        Just(Damage::Repeat)
    ]
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![
        any::<Index>().prop_map(Cut::End),
        (any::<Index>(), "[\\PC\"\\\\{}\\[\\],:\n]{0,3}").prop_map(|(at, text)| Cut::Insert(at, text)),
        (any::<Index>(), 0..9_usize).prop_map(|(at, length)| Cut::Delete(at, length)),
    ]
}

/// Generates damaged outputs of every command of both engines.
pub(super) fn damaged_output() -> impl Strategy<Value = String> {
    let damages = prop::collection::vec((any::<Index>(), damage()), 0..4);
    let cuts = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(cut(), 1..3)];
    (prop::sample::select(&EXAMPLES[..]), damages, cuts).prop_map(|(example, damages, cuts)| {
        let mut values = values_of(example);
        for (place, damage) in damages {
            let index = place.index(values.len());
            values[index] = damaged(&values[index], place, damage);
        }
        let lines: Vec<String> = values.iter().map(Value::to_string).collect();
        cuts.into_iter().fold(lines.join("\n"), cut_text)
    })
}

/// Parses a text that is one JSON value, or has one on each line.
fn values_of(text: &str) -> Vec<Value> {
    let whole = serde_json::from_str(text).map(|value| vec![value]);
    whole.unwrap_or_else(|_| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Returns JSON pointers to everything in a value.
fn places(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.replace('~', "~0").replace('/', "~1"), field)).collect()
        }
        _ => Vec::new(),
    };
    let below = inner
        .into_iter()
        .flat_map(|(name, value)| places(value).into_iter().map(move |place| format!("/{name}{place}")));
    std::iter::once(String::new()).chain(below).collect()
}

fn damaged(value: &Value, place: Index, damage: Damage) -> Value {
    let mut value = value.clone();
    let places = places(&value);
    let place = place.get(&places);
    if let Damage::Replace(new) = damage {
        *value.pointer_mut(place).unwrap() = new;
        return value;
    }
    let Some((parent, name)) = place.rsplit_once('/') else { return value };
    let name = name.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent).unwrap() {
        Value::Object(fields) => {
            let old = fields.remove(&name).unwrap();
            match damage {
                Damage::Rename(new) => drop(fields.insert(new, old)),
                Damage::Repeat => fields.extend([(name, old.clone()), ("again".to_owned(), old)]),
                Damage::Remove | Damage::Replace(_) => {}
            }
        }
        Value::Array(items) => {
            let old = items.remove(name.parse().unwrap());
            if let Damage::Repeat = damage {
                items.extend([old.clone(), old]);
            }
        }
        _ => {}
    }
    value
}

fn cut_text(text: String, cut: Cut) -> String {
    let offset = |place: Index| text.floor_char_boundary(place.index(text.len() + 1));
    match cut {
        Cut::End(place) => text[..offset(place)].to_owned(),
        Cut::Insert(place, new) => {
            let (before, after) = text.split_at(offset(place));
            format!("{before}{new}{after}")
        }
        Cut::Delete(place, length) => {
            let (before, after) = text.split_at(offset(place));
            before.to_owned() + &after[after.ceil_char_boundary(length.min(after.len()))..]
        }
    }
}
