//! Finds a line `\.` in a CSV file. PostgreSQL before version 18 takes it for the end of the data, and drops the lines
//! after it without an error.

/// A search for a line `\.` with data after it, in a file that is read piece by piece.
#[derive(Debug)]
pub(super) struct EndMarkFinder {
    state: RowState,
    quoted: bool,
    line: u64,
    /// The line of the mark, and whether data follows it.
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
        // A doubled quote inside quotes flips `quoted` twice, which has no effect.
        self.quoted ^= byte == b'"';
        self.line += u64::from(byte == b'\n');
    }

    /// Returns the line, from 1, of a mark that has data after it.
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
    fn other_lines_and_a_mark_at_the_end_of_the_file_are_accepted() {
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
