//! A line of `\.` in a CSV file. Before version 18 PostgreSQL takes it for the end of the data, and what follows is lost
//! without a word.

/// Takes a file piece by piece and finds such a line that has something after it.
#[derive(Debug)]
pub(super) struct EndMarkFinder {
    state: RowState,
    quoted: bool,
    line: u64,
    /// The line of a mark, and whether anything follows.
    mark: Option<(u64, bool)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowState {
    /// At the start of a row.
    Start,
    /// After a backslash at the start of a row.
    Backslash,
    /// After the whole mark.
    Mark,
    /// Anywhere else.
    Within,
}

impl EndMarkFinder {
    pub(super) fn new() -> Self {
        Self { state: RowState::Start, quoted: false, line: 1, mark: None }
    }

    pub(super) fn take(&mut self, piece: &[u8]) {
        for &byte in piece {
            if let Some((_, follows)) = &mut self.mark {
                if !byte.is_ascii_whitespace() {
                    *follows = true;
                    return;
                }
                continue;
            }
            self.take_byte(byte);
        }
    }

    fn take_byte(&mut self, byte: u8) {
        let is_end = matches!(byte, b'\n' | b'\r') && !self.quoted;
        if is_end && self.state == RowState::Mark {
            self.mark = Some((self.line, false));
        }
        self.state = match (self.state, byte) {
            _ if is_end => RowState::Start,
            (RowState::Start, b'\\') => RowState::Backslash,
            (RowState::Backslash, b'.') => RowState::Mark,
            _ => RowState::Within,
        };
        // A doubled quote inside of quotes is two changes, and so none.
        self.quoted ^= byte == b'"';
        self.line += u64::from(byte == b'\n');
    }

    /// The line, from 1, of the mark that hides data.
    pub(super) fn found(&self) -> Option<u64> {
        self.mark.and_then(|(line, follows)| follows.then_some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<u64> {
        let mut whole = EndMarkFinder::new();
        whole.take(text.as_bytes());
        let mut bytewise = EndMarkFinder::new();
        text.bytes().for_each(|byte| bytewise.take(&[byte]));
        assert_eq!(whole.found(), bytewise.found());
        whole.found()
    }

    #[test]
    fn a_mark_with_something_after_it_is_found_with_its_line() {
        assert_eq!(found("a\n1\n\\.\n2\n"), Some(3));
        assert_eq!(found("a\r\n\"x\ny\"\r\n\\.\r\n2\r\n"), Some(4));
    }

    #[test]
    fn what_is_no_mark_or_hides_nothing_is_let_pass() {
        for text in [
            "a\n\\.\n",
            "a\n\\.",
            "a\n\\.\n\n",
            "a\n\"\\.\"\n2\n",
            "a\n\"\n\\.\n\"\n2\n",
            "a,b\n\\.,2\n3,4\n",
            "a\nx\\.\n2\n",
        ] {
            assert_eq!(found(text), None, "{text:?}");
        }
    }
}
