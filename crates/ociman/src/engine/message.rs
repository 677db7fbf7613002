//! Prepares the messages of engines for errors.

/// Returns at most the last `limit` characters of a text, for messages.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    let text = text.trim();
    match text.char_indices().rev().nth(limit) {
        Some((last, character)) => format!("…{}", text[last + character.len_utf8()..].trim_start()),
        None => text.to_owned(),
    }
}

/// Returns the message of a failure without the warnings that Podman logs before it, unless there is nothing else.
pub(crate) fn without_warnings(message: &str) -> String {
    let is_warning = |line: &&str| line.starts_with("time=") && line.contains("level=warning");
    let rest: Vec<&str> = message.lines().filter(|line| !is_warning(line)).collect();
    if rest.iter().all(|line| line.trim().is_empty()) { message.to_owned() } else { rest.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_before_an_error_message_are_removed() {
        let message = "time=\"2026\" level=warning msg=\"Failed, retrying\"\nError: connection refused\n";
        assert_eq!(without_warnings(message), "Error: connection refused");
        let only = "time=\"2026\" level=warning msg=\"x\"";
        assert_eq!(without_warnings(only), only);
    }
}
