//! Places in a text.

use std::fmt;

/// A place in a text, as an editor shows it. Displayed as `line:column`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte of a text; beyond its end, or inside a character, what stands before it counts.
    pub(crate) fn of_byte(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        Self { line, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// The byte where a character starts, its number counted from 1 as PostgreSQL does; the text's end when it has fewer.
pub(super) fn byte_of_character(text: &str, number: u32) -> usize {
    let before = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    text.char_indices().nth(before).map_or(text.len(), |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_end_with_a_newline() {
        let text = "één\r\nzwei\n";
        let place = |offset| Place::of_byte(text, offset).to_string();
        assert_eq!(place(0), "1:1");
        assert_eq!(place(4), "1:3");
        assert_eq!(place(text.find("wei").unwrap()), "2:2");
        assert_eq!(place(text.len()), "3:1");
        assert_eq!(place(1000), "3:1");
    }

    #[test]
    fn the_server_counts_characters_from_one() {
        assert_eq!(byte_of_character("éa", 1), 0);
        assert_eq!(byte_of_character("éa", 2), 2);
        assert_eq!(byte_of_character("éa", 9), 3);
    }
}
