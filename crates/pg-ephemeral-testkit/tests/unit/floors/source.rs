//! Reads the paths of modules from Rust source text. It understands only as much of the language as that needs.

use std::collections::BTreeSet;

/// A line number, and a path from the root of the crate.
pub(crate) type PathAt = (usize, Vec<String>);

/// The paths in one file.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// The paths that the file imports or uses.
    pub(crate) used: Vec<PathAt>,
    /// The paths that the file re-exports by `pub use`, with their new names.
    pub(crate) handed_on: Vec<(String, PathAt)>,
}

/// Returns the paths in a file of this module, except those in tests. `modules` has the paths of all modules.
pub(crate) fn paths(text: &str, module: &[String], modules: &BTreeSet<Vec<String>>) -> Paths {
    let tokens = tokens(&without_tests(&without_text(text)));
    let mut reader = Reader { tokens: &tokens, modules, paths: Paths::default() };
    reader.read(module);
    reader.paths
}

struct Reader<'a> {
    tokens: &'a [(usize, String)],
    modules: &'a BTreeSet<Vec<String>>,
    paths: Paths,
}

impl Reader<'_> {
    fn token(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |(_, token)| token.as_str())
    }

    fn read(&mut self, module: &[String]) {
        let mut module = module.to_vec();
        // The depths of braces at which inline modules end.
        let (mut ends, mut depth, mut at, mut is_public) = (Vec::new(), 0, 0, false);
        while at < self.tokens.len() {
            let token = self.token(at).to_owned();
            match token.as_str() {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if ends.last() == Some(&depth) {
                        ends.pop();
                        module.pop();
                    }
                }
                "mod" if self.token(at + 2) == "{" => {
                    module.push(self.token(at + 1).to_owned());
                    ends.push(depth);
                    depth += 1;
                    at += 2;
                }
                "pub" => {
                    is_public = true;
                    at += 1;
                    if self.token(at) == "(" {
                        at += self.tokens.iter().skip(at).position(|(_, token)| token == ")").unwrap_or(0) + 1;
                    }
                    if self.token(at) != "use" {
                        is_public = false;
                    }
                    continue;
                }
                "use" => {
                    at = self.import(at + 1, &module, is_public);
                    is_public = false;
                }
                _ if is_name(&token) && !matches!(self.before(at), "::" | "." | "$") && self.token(at + 1) == "::" => {
                    let (line, mut path) = (self.tokens[at].0, vec![token]);
                    while self.token(at + 1) == "::" && is_name(self.token(at + 2)) {
                        path.push(self.token(at + 2).to_owned());
                        at += 2;
                    }
                    self.paths.used.extend(self.rooted(path, &module).map(|path| (line, path)));
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |before| self.token(before))
    }

    /// Reads an import that starts after its `use`, and returns the position of its end.
    fn import(&mut self, start: usize, module: &[String], is_public: bool) -> usize {
        let (mut at, mut prefixes, mut path) = (start, Vec::<Vec<String>>::new(), Vec::<String>::new());
        let mut line = 0;
        loop {
            let token = self.token(at).to_owned();
            match token.as_str() {
                "{" => prefixes.push(std::mem::take(&mut path)),
                "," | "}" | ";" | "" => {
                    if !path.is_empty() {
                        let whole: Vec<String> = prefixes.iter().flatten().chain(&path).cloned().collect();
                        self.imported(line, whole, module, is_public);
                        path.clear();
                    }
                    match token.as_str() {
                        "}" => drop(prefixes.pop()),
                        ";" | "" => return at,
                        _ => {}
                    }
                }
                "::" => {}
                "as" => {
                    at += 1;
                    path.push(format!("as {}", self.token(at)));
                }
                name => {
                    line = self.tokens[at].0;
                    path.push(name.to_owned());
                }
            }
            at += 1;
        }
    }

    fn imported(&mut self, line: usize, mut path: Vec<String>, module: &[String], is_public: bool) {
        let alias = path.pop_if(|last| last.starts_with("as ")).map(|alias| alias[3..].to_owned());
        path.pop_if(|last| last == "self");
        let Some(name) = alias.or_else(|| path.last().cloned()) else { return };
        let Some(path) = self.rooted(path, module) else { return };
        if is_public {
            self.paths.handed_on.push((name, (line, path)));
        } else {
            self.paths.used.push((line, path));
        }
    }

    /// Converts a path to a path from the crate's root. Returns `None` if the path leads to another crate.
    fn rooted(&self, path: Vec<String>, module: &[String]) -> Option<Vec<String>> {
        let mut base = module.to_vec();
        let mut rest = path.as_slice();
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                let child: Vec<String> = module.iter().cloned().chain([first.to_owned()]).collect();
                if !self.modules.contains(&child) {
                    return None;
                }
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Splits code into tokens with their lines. A token is a name, `::`, or any other single character except white space.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    let (mut line, mut rest) = (1, text);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if is_name(rest) => rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        if first == '\n' {
            line += 1;
        } else if !first.is_whitespace() {
            tokens.push((line, rest[..length].to_owned()));
        }
        rest = &rest[length..];
    }
    tokens
}

/// Removes comments and literals from code. Line breaks are kept.
fn without_text(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = text_length(rest);
        if length > 0 {
            code.push(' ');
            code.extend(rest[..length].chars().filter(|character| *character == '\n'));
            rest = &rest[length..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// Returns the length of the comment or literal at the start of a text, or 0 if there is none.
fn text_length(text: &str) -> usize {
    let until = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return until("*/", 2);
    }
    let hashes = text.strip_prefix('r').map(|rest| rest.len() - rest.trim_start_matches('#').len());
    if let Some(hashes) = hashes.filter(|hashes| text[1 + hashes..].starts_with('"')) {
        return until(&format!("\"{}", "#".repeat(hashes)), hashes + 2);
    }
    let quoted = |quote: char| {
        let mut is_escaped = false;
        for (at, character) in text.char_indices().skip(1) {
            match character {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                _ if character == quote => return at + 1,
                _ => {}
            }
        }
        text.len()
    };
    match text.as_bytes() {
        [b'"', ..] => quoted('"'),
        [b'\'', b'\\', ..] => quoted('\''),
        // A lifetime has no second quote.
        [b'\'', ..] if text.chars().nth(2) == Some('\'') => quoted('\''),
        _ => 0,
    }
}

/// Removes items that are compiled only for tests.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(start) = ["#[cfg(test)]", "#[cfg(any(test"].iter().filter_map(|mark| rest.find(mark)).min() {
        kept.push_str(&rest[..start]);
        let (mut depth, mut end) = (0, rest.len());
        for (at, character) in rest.char_indices().skip_while(|(at, _)| *at < start) {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(character, '}' | ';') {
                end = at + 1;
                break;
            }
        }
        kept.extend(rest[start..end].chars().filter(|character| *character == '\n'));
        rest = &rest[end..];
    }
    kept + rest
}
