//! Finds the roles that a dump needs.

use std::collections::BTreeSet;

/// The roles that the statements of a dump name, collected line by line from the lines that pg_dump writes.
#[derive(Debug, Default)]
pub(crate) struct RoleNames {
    names: BTreeSet<String>,
    /// Whether the lines are rows of a `COPY`.
    in_rows: bool,
}

impl RoleNames {
    pub(crate) fn take(&mut self, line: &str) {
        let line = line.trim_end();
        if self.in_rows {
            self.in_rows = line != "\\.";
            return;
        }
        if line.starts_with("COPY ") && line.ends_with("FROM stdin;") {
            self.in_rows = true;
            return;
        }
        let starts = |word: &str| line.starts_with(word);
        if starts("CREATE ROLE ") {
            // The dump itself creates this role.
            return;
        }
        if let Some(rest) = line.strip_prefix("SET SESSION AUTHORIZATION ") {
            let name = rest.trim_end_matches(';').trim_matches('\'');
            if name != "DEFAULT" {
                self.names.insert(name.to_owned());
            }
            return;
        }
        if let Some((_, rest)) = line.split_once(" FOR ROLE ").filter(|_| starts("ALTER DEFAULT PRIVILEGES ")) {
            self.add(rest);
        }
        let before = match line.split_whitespace().next() {
            Some("ALTER") if line.contains(" OWNER TO ") => " OWNER TO ",
            Some("GRANT") => " TO ",
            Some("REVOKE") => " FROM ",
            Some("ALTER") if line.contains(" GRANT ") => " TO ",
            Some("ALTER") if line.contains(" REVOKE ") => " FROM ",
            Some("CREATE") if starts("CREATE POLICY ") => " TO ",
            _ => return,
        };
        if let Some((_, rest)) = line.rsplit_once(before) {
            self.add(rest);
        }
    }

    /// Adds the names in a list that is separated by commas.
    fn add(&mut self, mut list: &str) {
        loop {
            let (name, rest) = name(list);
            if !name.is_empty() && name != "PUBLIC" && name != "CURRENT_USER" {
                self.names.insert(name);
            }
            match rest.trim_start().strip_prefix(',') {
                Some(next) => list = next.trim_start(),
                None => return,
            }
        }
    }

    /// Returns the names, sorted.
    pub(crate) fn finish(self) -> BTreeSet<String> {
        self.names
    }
}

/// Returns the name that a text starts with, and the rest of the text.
fn name(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|character: char| character.is_whitespace() || ";,()".contains(character));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        return (name.to_owned(), rest);
    };
    let mut name = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' if characters.peek().is_some_and(|(_, next)| *next == '"') => {
                characters.next();
                name.push('"');
            }
            '"' => return (name, &quoted[index + 1..]),
            character => name.push(character),
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_found_in_all_statements_that_name_them() {
        let mut roles = RoleNames::default();
        let lines = "ALTER TABLE public.t OWNER TO alice;\n\
                     GRANT SELECT ON TABLE public.\"a TO b\" TO \"Bob \"\"B\"\"\";\n\
                     GRANT ALL ON SCHEMA public TO PUBLIC;\n\
                     REVOKE ALL ON FUNCTION public.f(a integer) FROM carol;\n\
                     ALTER DEFAULT PRIVILEGES FOR ROLE dave IN SCHEMA public GRANT SELECT ON TABLES  TO erin;\n\
                     SET SESSION AUTHORIZATION 'frank';\n\
                     CREATE POLICY p ON public.t FOR SELECT TO gina, heidi USING (true);\n\
                     GRANT ivan TO judy WITH ADMIN OPTION;\n\
                     ALTER TABLE public.t ADD COLUMN x integer;\n\
                     COPY public.t (x) FROM stdin;\n\
                     ALTER TABLE public.t OWNER TO nobody;\n\
                     \\.\n\
                     CREATE ROLE made;";
        lines.lines().for_each(|line| roles.take(line));
        let found: Vec<String> = roles.finish().into_iter().collect();
        assert_eq!(found, ["Bob \"B\"", "alice", "carol", "dave", "erin", "frank", "gina", "heidi", "judy"]);
    }
}
