//! Suggests the valid word that is closest to a misspelt one.

/// The maximum length of a word to compare. Longer words are unlikely to be typing mistakes and slow to compare.
const MAX_CHARACTERS: usize = 64;

/// Returns the candidate that is closest to `word`. `None` if all candidates differ too much.
///
/// Letter case and the difference between `-` and `_` are ignored.
pub(super) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = normalize(word);
    let length = word.chars().count();
    if length > MAX_CHARACTERS {
        return None;
    }
    let allowed = (length / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &normalize(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn normalize(word: &str) -> String {
    word.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_candidate_is_suggested() {
        assert_eq!(closest("imgae", ["image", "backend"]), Some("image"));
        assert_eq!(closest("SSL-Config", ["ssl_config", "image"]), Some("ssl_config"));
        assert_eq!(closest("sqlfile", ["csv-file", "sql-file"]), Some("sql-file"));
    }

    #[test]
    fn a_word_without_a_close_candidate_gets_no_suggestion() {
        assert_eq!(closest("port", ["image", "backend"]), None);
        assert_eq!(closest(&"image".repeat(20), ["image"]), None);
    }
}
