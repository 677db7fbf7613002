//! Prints results as a table, or as records if the terminal is too narrow for the table.

use comfy_table::{Table, presets};
use rustix::termios::tcgetwinsize;

use super::failure::Failure;
use super::print::print_line;

pub(crate) fn print_table<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<(), Failure> {
    let columns =
        tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    let rows: Vec<[String; N]> = rows.map(|row| row.map(without_control)).collect();
    print_line(&arranged(header, &rows, columns))
}

/// Escapes control characters. Labels of containers and images can be written by anybody, so the terminal must not
/// interpret their contents.
pub(crate) fn without_control(value: String) -> String {
    if !value.contains(char::is_control) {
        return value;
    }
    let escape = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    value.chars().map(escape).collect()
}

/// Returns a table or, if it is wider than `columns`, one line per value with an empty line between the rows.
fn arranged<const N: usize>(header: [&str; N], rows: &[[String; N]], columns: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.add_rows(rows);
    let table = table.trim_fmt();
    let is_too_wide = |columns| table.lines().any(|line| line.chars().count() > columns);
    if rows.is_empty() || !columns.is_some_and(is_too_wide) {
        return table;
    }
    let width = header.iter().map(|name| name.len()).max().unwrap_or_default();
    let record = |row: &[String; N]| {
        let values = header.iter().zip(row).filter(|(_, value)| !value.is_empty());
        values.map(|(name, value)| format!("{name:width$}  {value}\n")).collect::<String>()
    };
    rows.iter().map(record).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_value_are_escaped() {
        assert_eq!(without_control("a\u{1b}[2Jb\r".to_owned()), r"a\u{1b}[2Jb\r");
        assert_eq!(without_control("è".to_owned()), "è");
    }

    #[test]
    fn a_table_that_a_terminal_is_too_narrow_for_has_a_line_for_each_value() {
        let rows = [["review", "16", ""], ["x", "", "50000"]].map(|row| row.map(str::to_owned));
        let header = ["NAME", "IMAGE", "PORT"];
        let table = " NAME    IMAGE  PORT\n review  16\n x              50000";
        assert_eq!(arranged(header, &rows, None), table);
        assert_eq!(arranged(header, &rows, Some(21)), table);
        assert_eq!(arranged(header, &rows, Some(15)), "NAME   review\nIMAGE  16\n\nNAME   x\nPORT   50000");
        assert_eq!(arranged(header, &[], Some(5)), " NAME  IMAGE  PORT");
    }
}
