//! Parses the `LABEL` instruction of `commit --change` as each engine does: Docker as a line of a Dockerfile, Podman
//! almost literally.

use super::speech::Speech;
use super::state::Config;

/// Applies an instruction to a configuration. If the instruction is not supported, returns its name as the error.
pub(super) fn apply(speech: Speech, change: &str, config: &mut Config) -> Result<(), String> {
    match speech {
        Speech::Docker => {
            change.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| docker(line, config))
        }
        Speech::Podman => podman(change, config),
    }
}

/// Applies a `LABEL` as Podman does: the key ends at the first `=`, and one quote is removed from each end of the
/// value.
fn podman(change: &str, config: &mut Config) -> Result<(), String> {
    let Some(label) = change.strip_prefix("LABEL ") else {
        return Err(change.split_whitespace().next().unwrap_or_default().to_owned());
    };
    let (key, value) = label.split_once('=').unwrap_or((label, ""));
    let value = value.strip_prefix('"').unwrap_or(value);
    let value = value.strip_suffix('"').unwrap_or(value);
    config.labels.insert(key.to_owned(), value.to_owned());
    Ok(())
}

fn docker(line: &str, config: &mut Config) -> Result<(), String> {
    let (instruction, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    if instruction != "LABEL" {
        return Err(instruction.to_owned());
    }
    for word in words(rest, config) {
        let (key, value) = word.split_once('=').unwrap_or((&word, ""));
        config.labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(())
}

/// Splits a line into words and removes the quotes. Single quotes keep all characters. Elsewhere `\` escapes quotes,
/// `$`, spaces and itself, and variables are replaced by their values.
fn words(text: &str, config: &Config) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut characters = text.chars().peekable();
    let mut quote = None;
    while let Some(character) = characters.next() {
        let current = word.get_or_insert_default();
        match (quote, character) {
            (None, space) if space.is_whitespace() => words.extend(word.take().filter(|word| !word.is_empty())),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (Some('\''), any) => current.push(any),
            (_, '\\') => match characters.next() {
                Some(escaped @ ('"' | '\\' | '$' | '\'' | ' ')) => current.push(escaped),
                other => {
                    current.push('\\');
                    current.extend(other);
                }
            },
            (_, '$') => {
                let braced = characters.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(letter) = characters.next_if(|letter| letter.is_ascii_alphanumeric() || *letter == '_') {
                    name.push(letter);
                }
                if braced {
                    characters.next_if_eq(&'}');
                }
                current.push_str(config.variable(&name).unwrap_or_default());
            }
            (_, any) => current.push(any),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(speech: Speech, change: &str) -> Option<String> {
        let mut config = Config::default();
        config.set("PATH", "/bin");
        apply(speech, change, &mut config).ok()?;
        config.labels.remove("k")
    }

    #[test]
    fn docker_reads_a_line_of_a_dockerfile() {
        let docker = |change| label(Speech::Docker, change);
        assert_eq!(docker(r#"LABEL k="v \"q\" \$x \\ y""#).unwrap(), r#"v "q" $x \ y"#);
        assert_eq!(docker(r#"LABEL k="a$PATH""#).unwrap(), "a/bin");
        assert_eq!(docker("LABEL k='a$b \"q\" \\ c'").unwrap(), "a$b \"q\" \\ c");
        assert_eq!(docker("LABEL k=\"line1\nline2\""), None);
    }

    #[test]
    fn podman_takes_a_quote_from_each_end_and_the_rest_as_it_is() {
        let podman = |change| label(Speech::Podman, change);
        assert_eq!(podman(r#"LABEL k="v \"q\" \$x \\ y""#).unwrap(), r#"v \"q\" \$x \\ y"#);
        assert_eq!(podman(r#"LABEL k=""q"""#).unwrap(), "\"q\"");
        assert_eq!(podman("LABEL k=\"line1\nline2\"").unwrap(), "line1\nline2");
        assert_eq!(podman("LABEL k=a b=c").unwrap(), "a b=c");
    }
}
