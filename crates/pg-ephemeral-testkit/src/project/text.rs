//! Compares output with an expected text, in which `[..]` matches any text within a line and a line `...` matches any
//! number of lines.

/// Compares the texts. If they differ, returns a readable description of the first difference.
pub(super) fn compare(expected: &str, actual: &str) -> Result<(), String> {
    let expected_lines: Vec<&str> = expected.split('\n').collect();
    let actual_lines: Vec<&str> = actual.split('\n').collect();
    if lines_match(&expected_lines, &actual_lines) {
        return Ok(());
    }
    let pairs = expected_lines.iter().zip(&actual_lines);
    let same = pairs.take_while(|(pattern, line)| **pattern != "..." && line_matches(pattern, line)).count();
    let shown = |lines: &[&str]| lines.get(same).map_or("nothing".to_owned(), |line| format!("{line:?}"));
    Err(format!("line {}: expected {}, got {}", same + 1, shown(&expected_lines), shown(&actual_lines)))
}

fn lines_match(expected: &[&str], actual: &[&str]) -> bool {
    match (expected.split_first(), actual.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), _) => (0..=actual.len()).any(|skipped| lines_match(rest, &actual[skipped..])),
        (Some((pattern, expected)), Some((line, actual))) => {
            line_matches(pattern, line) && lines_match(expected, actual)
        }
        _ => false,
    }
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_wildcards_is_compared_exactly() {
        assert_eq!(compare("a\nb\n", "a\nb\n"), Ok(()));
        assert_eq!(compare("a\n", "a"), Err("line 2: expected \"\", got nothing".to_owned()));
        assert_eq!(compare("a", "b"), Err("line 1: expected \"a\", got \"b\"".to_owned()));
        assert_eq!(compare("", "b"), Err("line 1: expected \"\", got \"b\"".to_owned()));
    }

    #[test]
    fn a_wildcard_stands_for_anything_within_its_line() {
        assert_eq!(compare("took [..] ms", "took 12 ms"), Ok(()));
        assert_eq!(compare("[..]", ""), Ok(()));
        assert_eq!(compare("a [..] b [..] c", "a 1 b 2 b 3 c"), Ok(()));
        assert!(compare("a [..] c", "a 1 b").is_err());
        assert!(compare("a [..] c", "a \n c").is_err());
        assert!(compare("ab[..]ba", "aba").is_err());
    }

    #[test]
    fn three_dots_on_a_line_stand_for_any_lines() {
        assert_eq!(compare("a\n...\nz\n", "a\nz\n"), Ok(()));
        assert_eq!(compare("a\n...\nz\n", "a\nb\nc\nz\n"), Ok(()));
        assert_eq!(compare("...", ""), Ok(()));
        assert!(compare("a\n...\nz\n", "a\nb\n").is_err());
    }
}
