//! What holds for the files that seeds read; see [`crate::fuzzing`].

use super::csv::columns_of;
use super::spec::CsvDelimiter;
use super::sql::{Place, SqlScript};

fn check_place(text: &str, place: Place) {
    let line = text.split('\n').nth(place.line.wrapping_sub(1));
    assert!(line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&place.column)), "{place} in {text:?}");
}

/// A file of SQL. Its messages are the whole text up to the last statement, and every place is inside of it.
pub fn sql(text: &str) {
    let script = match SqlScript::parse(text) {
        Ok(script) => script,
        Err(refused) => {
            check_place(text, refused.place);
            assert!(!refused.to_string().is_empty());
            return;
        }
    };
    let batches = script.batches();
    let sent: String = batches.iter().map(|batch| batch.text).collect();
    assert!(text.starts_with(&sent), "{sent:?} of {text:?}");
    assert_eq!(batches.iter().map(super::sql::Batch::len).sum::<usize>(), script.len());
    // Of what Unicode has as white space, PostgreSQL takes the most for letters.
    let is_blank = |character: char| character == '\u{b}' || character.is_ascii_whitespace();
    for batch in &batches {
        assert!(batch.len() > 0 && !batch.text.trim_matches(is_blank).is_empty());
        for index in 0..batch.len() {
            check_place(text, script.place_of_statement(batch, index));
        }
        for number in [0, 1, 2, 100, u32::MAX] {
            check_place(text, script.place_of_character(batch, number));
        }
    }
}

/// The first row of a CSV file: it does not matter in which pieces it comes, nor what follows it.
pub fn csv_header(bytes: &[u8]) {
    for delimiter in [',', ';', '\t', '|'] {
        let Ok(delimiter) = delimiter.to_string().parse::<CsvDelimiter>() else { continue };
        let whole = columns_of([bytes], delimiter);
        assert_eq!(columns_of(bytes.chunks(1), delimiter), whole);
        let Ok(columns) = whole else { continue };
        assert!(!columns.is_empty() && columns.iter().all(|name| !name.is_empty()), "{columns:?}");
        let quoted: Vec<String> = columns.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
        let row = quoted.join(delimiter.as_char().to_string().as_str()) + "\n\"x";
        assert_eq!(columns_of([row.as_bytes()], delimiter).as_ref(), Ok(&columns));
    }
}
