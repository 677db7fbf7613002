//! Replaces texts that differ between runs by a word in brackets, so that the rest can be compared exactly.

/// The texts that are known to differ between runs, and their replacements.
#[derive(Debug, Clone, Default)]
pub(super) struct Redactions {
    known: Vec<(String, String)>,
}

/// The texts after which a number is a port.
const BEFORE_PORT: [&str; 7] = ["127.0.0.1:", "localhost:", "[::1]:", "PGPORT=", "PGPORT='", "\"port\":", "\"port\": "];

impl Redactions {
    /// Adds a text and its replacement. Longer texts are replaced first, because they may contain shorter ones.
    pub(super) fn add(&mut self, text: &str, shown: &str) {
        self.known.push((text.to_owned(), shown.to_owned()));
        self.known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    /// Replaces the known texts.
    pub(super) fn known(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (known, shown)| text.replace(known.as_str(), shown))
    }
}

/// Replaces texts that are recognised by their form, by `[PORT]`, `[PASSWORD]` and `[HASH]`.
pub(super) fn by_looks(text: &str) -> String {
    let mut text = text.to_owned();
    for before in BEFORE_PORT {
        text = replace_behind(&text, before, "[PORT]", |character| character.is_ascii_digit());
    }
    text = replace_behind(&text, "PGPASSWORD=", "[PASSWORD]", |character| !character.is_whitespace());
    replace_hashes(&text)
}

/// Replaces the characters that belong to a value after each `before`. An empty value is not replaced.
fn replace_behind(text: &str, before: &str, shown: &str, belongs: impl Fn(char) -> bool) -> String {
    let mut all = String::new();
    let mut rest = text;
    while let Some((head, behind)) = rest.split_once(before) {
        all.push_str(head);
        all.push_str(before);
        let end = behind.find(|character| !belongs(character)).unwrap_or(behind.len());
        if end > 0 {
            all.push_str(shown);
        }
        rest = &behind[end..];
    }
    all.push_str(rest);
    all
}

/// Replaces sequences of exactly 64 hexadecimal digits, which are hashes or IDs.
fn replace_hashes(text: &str) -> String {
    let mut all = String::new();
    let mut word = String::new();
    let finish = |word: &mut String, all: &mut String| {
        all.push_str(if word.len() == 64 { "[HASH]" } else { word });
        word.clear();
    };
    for character in text.chars() {
        if matches!(character, '0'..='9' | 'a'..='f') {
            word.push(character);
        } else {
            finish(&mut word, &mut all);
            all.push(character);
        }
    }
    finish(&mut word, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut redactions = Redactions::default();
        redactions.add("/tmp/x", "[TOP]");
        redactions.add("/tmp/x/work", "[FOLDER]");
        by_looks(&redactions.known(text))
    }

    #[test]
    fn the_longest_known_text_is_replaced_first() {
        assert_eq!(shown("in /tmp/x/work/a and /tmp/x/b"), "in [FOLDER]/a and [TOP]/b");
    }

    #[test]
    fn ports_passwords_and_hashes_are_recognised_by_their_form() {
        let hash = "0123456789abcdef".repeat(4);
        assert_eq!(
            shown("127.0.0.1:5433/x PGPORT=1234\n{\"port\":99,"),
            "127.0.0.1:[PORT]/x PGPORT=[PORT]\n{\"port\":[PORT],"
        );
        assert_eq!(shown("PGPASSWORD=a$b PGPORT="), "PGPASSWORD=[PASSWORD] PGPORT=");
        assert_eq!(shown(&format!("image:{hash} {hash}0")), format!("image:[HASH] {hash}0"));
    }
}
