//! The word somebody most likely meant.

/// Longer words are not typing mistakes, and comparing them would cost time.
const MAX_CHARACTERS: usize = 64;

/// The candidate nearest to `word`, when one is near enough to be what was meant.
///
/// Letter case and the difference between `-` and `_` count for nothing.
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
    fn the_nearest_candidate_is_suggested() {
        assert_eq!(closest("imgae", ["image", "backend"]), Some("image"));
        assert_eq!(closest("SSL-Config", ["ssl_config", "image"]), Some("ssl_config"));
        assert_eq!(closest("sqlfile", ["csv-file", "sql-file"]), Some("sql-file"));
    }

    #[test]
    fn a_word_like_none_of_them_gets_no_suggestion() {
        assert_eq!(closest("port", ["image", "backend"]), None);
        assert_eq!(closest(&"image".repeat(20), ["image"]), None);
    }
}
