//! Splits a shell script into words, just well enough to find the files that it names. It runs and expands nothing.

/// A word of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// The text without quotes and escapes.
    pub(super) text: String,
    /// Whether the shell looks for a program of this name.
    pub(super) is_program: bool,
    /// Whether any of it was quoted, so that it may hold a script or SQL itself.
    pub(super) is_quoted: bool,
}

/// Words after which the shell still expects a program.
const KEYWORDS: [&str; 11] = ["if", "then", "else", "elif", "while", "until", "do", "!", "{", "}", "exec"];

/// Returns the words of a script in order. Comments are left out, and so are the targets of `>`, because the script
/// writes to them.
pub(super) fn words(script: &str) -> Vec<Word> {
    let mut splitter = Splitter { words: Vec::new(), word: None, expects_program: true, is_target: false };
    splitter.split(script);
    splitter.words
}

struct Splitter {
    words: Vec<Word>,
    /// The word that is being read, and whether any of it was quoted.
    word: Option<(String, bool)>,
    expects_program: bool,
    /// Whether the next word is the target of `>`.
    is_target: bool,
}

impl Splitter {
    fn split(&mut self, script: &str) {
        let mut characters = script.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\n' | ';' | '|' | '&' | '(' | ')' | '`' => {
                    self.finish();
                    self.is_target = false;
                    self.expects_program = true;
                }
                '<' => self.finish(),
                '>' => {
                    self.finish();
                    self.is_target = true;
                    while characters.next_if(|next| matches!(next, '>' | '&' | '|')).is_some() {}
                }
                '#' if self.word.is_none() => while characters.next_if(|next| *next != '\n').is_some() {},
                '$' if characters.peek() == Some(&'(') => self.finish(),
                '\'' => {
                    self.word().1 = true;
                    self.word().0.extend(characters.by_ref().take_while(|next| *next != '\''));
                }
                '"' => {
                    self.word().1 = true;
                    while let Some(next) = characters.next().filter(|next| *next != '"') {
                        let escaped = characters.next_if(|_| next == '\\');
                        self.word().0.extend(escaped.or(Some(next)));
                    }
                }
                '\\' => match characters.next() {
                    Some('\n') | None => {}
                    Some(escaped) => self.word().0.push(escaped),
                },
                space if space.is_whitespace() => self.finish(),
                other => self.word().0.push(other),
            }
        }
        self.finish();
    }

    fn word(&mut self) -> &mut (String, bool) {
        self.word.get_or_insert_default()
    }

    fn finish(&mut self) {
        let Some((text, is_quoted)) = self.word.take() else { return };
        if std::mem::take(&mut self.is_target) {
            return;
        }
        let is_program = self.expects_program;
        let goes_on = KEYWORDS.contains(&text.as_str()) || is_assignment(&text);
        self.expects_program = is_program && goes_on;
        self.words.push(Word { text, is_program: is_program && !goes_on, is_quoted });
    }
}

/// Returns `true` for `NAME=value`, which may precede a program.
fn is_assignment(text: &str) -> bool {
    let is_part_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.chars().all(is_part_of_name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(script: &str) -> Vec<String> {
        words(script).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn quotes_escapes_and_separators_are_not_part_of_words() {
        assert_eq!(split("psql -f 'my file.sql'"), ["psql", "-f", "my file.sql"]);
        assert_eq!(split("psql -f \"a \\\"b\\\".sql\"''"), ["psql", "-f", "a \"b\".sql"]);
        assert_eq!(split("psql -f my\\ file.sql \\\n  -q"), ["psql", "-f", "my file.sql", "-q"]);
        assert_eq!(split("a;b|c&&d\n(e)"), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn files_that_are_read_are_among_the_words_and_files_that_are_written_are_not() {
        assert_eq!(split("psql <x.sql >out.log 2>&1"), ["psql", "x.sql", "2"]);
        assert_eq!(split("psql >>out.log -f a"), ["psql", "-f", "a"]);
        assert_eq!(split("echo $(cat x) `cat y`"), ["echo", "cat", "x", "cat", "y"]);
    }

    #[test]
    fn comments_are_left_out() {
        assert_eq!(split("# see README.md\nmake a#b # x"), ["make", "a#b"]);
    }

    #[test]
    fn the_first_word_of_a_command_is_a_program() {
        let programs = |script: &str| {
            let programs = words(script).into_iter().filter(|word| word.is_program);
            programs.map(|word| word.text).collect::<Vec<_>>()
        };
        assert_eq!(programs("migrate up; if test -f x; then PGUSER=a load b; fi"), ["migrate", "test", "load", "fi"]);
        assert_eq!(programs("cat a | psql $(pwd)"), ["cat", "psql", "pwd"]);
    }

    proptest! {
        #[test]
        fn any_text_can_be_split(text in "[ab'\"\\\\$(){}<>&|;#`= \n]{0,40}") {
            prop_assert!(words(&text).len() <= text.len());
        }
    }
}
