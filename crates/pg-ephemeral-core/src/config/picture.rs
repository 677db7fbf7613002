//! Draws a line of a file with carets under the marked place.

/// The maximum number of characters that are shown of a line. A longer line is cut around the marked place.
const MAX_CHARACTERS: usize = 100;
/// The number of characters of a cut line that are shown before the marked place.
const BEFORE: usize = 40;

/// A line with a marked place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Excerpt<'a> {
    /// The line's number in the file, counted from 1.
    pub(super) number: usize,
    /// The line's text without its end.
    pub(super) line: &'a str,
    /// The index of the first marked character, counted from 0.
    pub(super) first: usize,
    /// The number of marked characters. If it is 0, one caret is drawn.
    pub(super) count: usize,
}

/// Draws three lines: an empty one, the text and the carets. Each starts with a gutter. The gutter of the text contains
/// the line number.
pub(super) fn draw(excerpt: &Excerpt<'_>) -> String {
    let length = excerpt.line.chars().count();
    let start = if length > MAX_CHARACTERS { excerpt.first.saturating_sub(BEFORE) } else { 0 };
    let shown = length.saturating_sub(start).min(MAX_CHARACTERS);

    let mut text = String::new();
    if start > 0 {
        text.push('…');
    }
    text.extend(excerpt.line.chars().skip(start).take(shown).map(printable));
    if start + shown < length {
        text.push('…');
    }

    let indent = excerpt.first - start + usize::from(start > 0);
    let room = (start + shown).saturating_sub(excerpt.first);
    let carets = excerpt.count.min(room).max(1);

    let number = excerpt.number.to_string();
    let gutter = " ".repeat(number.len());
    let underline = " ".repeat(indent) + &"^".repeat(carets);
    format!("{gutter} |\n{number} | {}\n{gutter} | {underline}", text.trim_end())
}

/// Replaces a tab or a control character. Each character then takes one column, so that the carets are below the marked
/// place, and no control sequence reaches a terminal.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        character if character.is_control() => char::REPLACEMENT_CHARACTER,
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_are_drawn_below_the_place() {
        let excerpt = Excerpt { number: 12, line: "\tname = \"ü\u{1b}[31m\"", first: 8, count: 3 };
        insta::assert_snapshot!(draw(&excerpt), @r#"
           |
        12 |  name = "ü�[31m"
           |         ^^^
        "#);
    }

    #[test]
    fn a_place_after_the_last_character_gets_one_caret() {
        let excerpt = Excerpt { number: 1, line: "a = [", first: 5, count: 0 };
        insta::assert_snapshot!(draw(&excerpt), @"
          |
        1 | a = [
          |      ^
        ");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}key{}", "a".repeat(200), "b".repeat(200));
        insta::assert_snapshot!(draw(&Excerpt { number: 1, line: &line, first: 200, count: 3 }), @"
          |
        1 | …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaakeybbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…
          |                                          ^^^
        ");
        insta::assert_snapshot!(draw(&Excerpt { number: 1, line: &line, first: 200, count: 203 }), @"
          |
        1 | …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaakeybbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…
          |                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        ");
        insta::assert_snapshot!(draw(&Excerpt { number: 1, line: &line, first: 0, count: 3 }), @"
          |
        1 | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…
          | ^^^
        ");
        insta::assert_snapshot!(draw(&Excerpt { number: 1, line: &line, first: 403, count: 0 }), @"
          |
        1 | …bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
          |                                          ^
        ");
    }
}
