//! Checks the properties with property tests, so that they are checked in every run and not only when fuzzing.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use serde_json::json;

use super::generate::{EXAMPLES, damaged_output};
use crate::engine::fuzzing::{KEYS, read_docker_list, read_podman_list};
use crate::label::{Labels, Value};
use crate::{ContainerState, ContainerSummary, PortBinding};

/// Gives a text to every parser, because each of them must be able to read any text without a panic.
fn check_outputs(text: &str) {
    super::version(text);
    super::docker_list(text);
    super::podman_list(text);
    super::containers(text);
    super::images(text);
    super::docker_images(text);
    super::podman_images(text);
    super::message(text);
}

/// Generates texts near the limits of names and labels.
fn short_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), r"[aA0 ._/:@=,\x00\n\xa0é😀-]{0,12}", "[a-z]{250,260}"]
}

fn message() -> impl Strategy<Value = String> {
    let words = [
        "Error",
        ": ",
        "no such container",
        "No Such Image",
        "is not running",
        "already in use",
        "the container name",
        "manifest unknown",
        "é",
        "…",
        " ",
        "\n",
        "[]\n",
        "Cannot connect to the Docker daemon",
        "image used by",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..12).prop_map(|words| words.concat())
}

fn port() -> impl Strategy<Value = PortBinding> {
    (any::<u16>(), any::<IpAddr>(), any::<u16>())
        .prop_map(|(container, address, port)| PortBinding { container, published: SocketAddr::new(address, port) })
}

fn container() -> impl Strategy<Value = ContainerSummary> {
    let state = prop::sample::select(vec![
        ("running", ContainerState::Running),
        ("paused", ContainerState::Paused),
        ("created", ContainerState::Created),
        ("exited", ContainerState::Exited),
    ]);
    let value = "[^\0]{0,20}";
    let labels = (value, value).prop_map(|(one, other)| {
        let pairs = KEYS.into_iter().zip([one, other]).filter(|(_, value)| !value.is_empty());
        pairs.map(|(key, value)| (key, value.parse::<Value>().unwrap())).collect::<Labels>()
    });
    let parts = ("[0-9a-f]{64}", "[a-z][a-z0-9-]{0,9}", labels, state, prop::collection::vec(port(), 0..3));
    parts.prop_map(|(id, name, labels, (_, state), ports)| ContainerSummary { id, name, labels, state, ports })
}

fn state_word(container: &ContainerSummary) -> String {
    format!("{:?}", container.state).to_lowercase()
}

fn docker_line(container: &ContainerSummary) -> String {
    let ports: Vec<String> =
        container.ports.iter().map(|port| format!("{}->{}/tcp", port.published, port.container)).collect();
    let labels = KEYS.map(|key| container.labels.get(&key).map(Value::to_string).unwrap_or_default());
    let line = json!({
        "id": container.id, "names": container.name, "state": state_word(container), "ports": ports.join(", "),
        "labels": labels,
    });
    format!("{line}\n")
}

fn podman_entry(container: &ContainerSummary) -> serde_json::Value {
    let port = |port: &PortBinding| {
        let (address, number) = (port.published.ip().to_string(), port.published.port());
        json!({
            "host_ip": address, "container_port": port.container, "host_port": number, "range": 1, "protocol": "tcp",
        })
    };
    json!({
        "Id": container.id, "Names": [container.name], "State": state_word(container), "Labels": container.labels,
        "Ports": container.ports.iter().map(port).collect::<Vec<_>>(),
    })
}

#[test]
fn real_outputs_of_engines_are_read() {
    EXAMPLES.into_iter().for_each(check_outputs);
    for list in [read_docker_list(EXAMPLES[2]), read_podman_list(EXAMPLES[3])] {
        let [container] = &list.unwrap()[..] else { panic!("one container runs") };
        assert_eq!(container.name, "fuzz-example-1");
        assert_eq!((container.labels.len(), container.ports.len()), (2, 1));
    }
}

#[test]
fn a_shortened_message_keeps_as_many_characters_as_the_limit_allows() {
    assert_eq!(crate::engine::message::shorten("abc", 3), "abc");
    assert_eq!(crate::engine::message::shorten("xabc", 3), "…abc");
}

proptest! {
    #[test]
    fn a_damaged_output_is_read_without_a_panic(text in damaged_output()) {
        check_outputs(&text);
    }

    #[test]
    fn any_text_is_read_as_an_output_without_a_panic(text in any::<String>()) {
        check_outputs(&text);
    }

    #[test]
    fn any_message_is_classified_without_a_panic_and_shortened_to_the_limit(text in message()) {
        super::message(&text);
    }

    #[test]
    fn names_labels_and_references_keep_their_text_and_errors_point_into_it(text in short_text()) {
        super::container_name(&text);
        super::label(&text);
        super::reference(&text);
    }

    #[test]
    fn the_containers_of_a_docker_listing_are_read_back(all in prop::collection::vec(container(), 0..4)) {
        let text: String = all.iter().map(docker_line).collect();
        prop_assert_eq!(read_docker_list(&text), Some(all));
    }

    #[test]
    fn the_containers_of_a_podman_listing_are_read_back(all in prop::collection::vec(container(), 0..4)) {
        let text = serde_json::Value::from_iter(all.iter().map(podman_entry)).to_string();
        prop_assert_eq!(read_podman_list(&text), Some(all));
    }
}
