//! Checks of the code that reads the files of seeds; see [`crate::fuzzing`].

use super::csv::columns_of;
use super::spec::CsvDelimiter;
use super::sql::references_in;

/// Checks that the files found in a psql script do not depend on the pieces that it comes in, and that no path is
/// empty.
pub fn psql_script(bytes: &[u8]) {
    let whole = references_in([bytes]);
    assert_eq!(references_in(bytes.chunks(1)), whole);
    assert!(whole.iter().all(|reference| !reference.path.as_os_str().is_empty()), "{whole:?}");
}

/// Checks that the columns of a CSV file depend neither on the pieces that it comes in, nor on the text after the first
/// row.
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
