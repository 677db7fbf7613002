//! What holds for the files that seeds read; see [`crate::fuzzing`].

use super::csv::columns_of;
use super::spec::CsvDelimiter;
use super::sql::references_in;

/// A script of psql. It does not matter in which pieces it comes, and no path is empty.
pub fn psql_script(bytes: &[u8]) {
    let whole = references_in([bytes]);
    assert_eq!(references_in(bytes.chunks(1)), whole);
    assert!(whole.iter().all(|reference| !reference.path.as_os_str().is_empty()), "{whole:?}");
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
