//! The tokens of SQL as far as statements, and psql's own commands, can be told by them. It follows PostgreSQL's
//! lexical rules for what hides other characters: quotes, dollar quotes and comments.

/// One token. White space and comments are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind,
    /// Its text.
    pub(super) text: &'t str,
    /// Where it starts, in bytes.
    pub(super) start: usize,
}

/// What kind of token one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A key word or a name without quotes.
    Word,
    /// A string or a name in quotes of any kind, also one that is not closed.
    Quoted,
    Semicolon,
    Open,
    Close,
    /// A backslash that nothing hides.
    Backslash,
    /// Any other character.
    Other,
}

/// The tokens of a text.
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            match self.rest() {
                [b'-', b'-', ..] => self.skip_line(),
                [b'/', b'*', ..] => self.skip_block_comment(),
                [byte, ..] if is_blank(*byte) => self.at += 1,
                _ => return,
            }
        }
    }

    fn skip_line(&mut self) {
        self.at += self.rest().iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(self.rest().len());
    }

    /// Block comments nest in SQL.
    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.rest() {
                [b'/', b'*', ..] => {
                    depth += 1;
                    self.at += 2;
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    self.at += 2;
                }
                [_, ..] => self.at += 1,
                [] => return,
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// To the end of a quoted text, in which the quote itself is doubled.
    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        loop {
            match self.rest() {
                [one, two, ..] if *one == quote && *two == quote => self.at += 2,
                [byte, ..] => {
                    self.at += 1;
                    if *byte == quote {
                        return;
                    }
                }
                [] => return,
            }
        }
    }

    /// To the end of an `E'…'` string, in which a backslash hides the next byte. Its parts on the following lines
    /// follow the same rule.
    fn skip_escape_string(&mut self) {
        self.at += 1;
        loop {
            match self.rest() {
                [b'\\', _, ..] | [b'\'', b'\'', ..] => self.at += 2,
                [b'\'', ..] => {
                    self.at += 1;
                    let Some(next_part) = self.continuation() else { return };
                    self.at = next_part + 1;
                }
                [_, ..] => self.at += 1,
                [] => return,
            }
        }
    }

    /// Where the next part of a string starts: with a quote on a later line, with nothing but blanks before it.
    fn continuation(&self) -> Option<usize> {
        let blanks = self.rest().iter().take_while(|byte| is_blank(**byte)).count();
        let (between, after) = self.rest().split_at(blanks);
        let continues = after.first() == Some(&b'\'') && between.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        continues.then_some(self.at + blanks)
    }

    /// To the end of a `$tag$…$tag$` string; of the `$` alone when there is none.
    fn skip_dollar_quoted(&mut self) -> TokenKind {
        let Some(delimiter) = dollar_quote(&self.text[self.at..]) else {
            self.at += 1;
            return TokenKind::Other;
        };
        let body = self.at + delimiter.len();
        self.at = self.text[body..].find(delimiter).map_or(self.text.len(), |end| body + end + delimiter.len());
        TokenKind::Quoted
    }

    fn skip_word(&mut self) -> TokenKind {
        let length = self.rest().iter().take_while(|byte| continues_word(**byte)).count();
        let word = &self.rest()[..length];
        self.at += length;
        if matches!(word, b"e" | b"E") && self.rest().first() == Some(&b'\'') {
            self.skip_escape_string();
            return TokenKind::Quoted;
        }
        TokenKind::Word
    }

    fn skip_token(&mut self) -> Option<TokenKind> {
        let kind = match *self.rest().first()? {
            quote @ (b'\'' | b'"') => {
                self.skip_quoted(quote);
                return Some(TokenKind::Quoted);
            }
            b'$' => return Some(self.skip_dollar_quoted()),
            byte if starts_word(byte) => return Some(self.skip_word()),
            // A number takes the word on its tail with it, as in `1e5`.
            b'0'..=b'9' => {
                self.at += self.rest().iter().take_while(|byte| continues_word(**byte)).count();
                return Some(TokenKind::Other);
            }
            b';' => TokenKind::Semicolon,
            b'(' => TokenKind::Open,
            b')' => TokenKind::Close,
            b'\\' => TokenKind::Backslash,
            _ => TokenKind::Other,
        };
        self.at += 1;
        Some(kind)
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let kind = self.skip_token()?;
        // Every token ends after an ASCII character, before one, or at the end of the text.
        Some(Token { kind, text: &self.text[start..self.at], start })
    }
}

/// The `$tag$` a text starts with.
fn dollar_quote(text: &str) -> Option<&str> {
    let tag = &text.as_bytes()[1..];
    let length = tag.iter().take_while(|byte| continues_word(**byte) && **byte != b'$').count();
    let closed = tag.get(length) == Some(&b'$');
    let named = length == 0 || tag.first().is_some_and(|byte| starts_word(*byte));
    (closed && named).then(|| &text[..length + 2])
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

fn continues_word(byte: u8) -> bool {
    starts_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        Tokens::of(sql).map(|token| token.text).collect()
    }

    #[test]
    fn quotes_of_every_kind_hide_what_is_in_them() {
        for quoted in [
            r"'a;\ '' b'",
            r#""a;\ "" b""#,
            "$$ ; ' \\ $$",
            "$tag$ $$ ; $other$ $tag$",
            r"E'a\'; \\'",
            r"e'a''\';'",
            "E'a'\n  'b\\';'",
            "$é$;$é$",
        ] {
            assert_eq!(texts(&format!("{quoted};")), [quoted, ";"], "{quoted}");
        }
    }

    #[test]
    fn comments_are_no_tokens_and_block_comments_nest() {
        assert_eq!(texts("a -- ; '\n/* ; /* \\ */ ' */ b"), ["a", "b"]);
        assert_eq!(texts("a /* never closed"), ["a"]);
    }

    #[test]
    fn a_dollar_inside_a_word_and_a_parameter_quote_nothing() {
        assert_eq!(texts("a$b$ ; $1;"), ["a$b$", ";", "$", "1", ";"]);
    }

    #[test]
    fn an_e_at_the_end_of_a_word_makes_no_escape_string() {
        assert_eq!(texts(r"type'\';"), ["type", r"'\'", ";"]);
    }

    #[test]
    fn what_is_not_closed_goes_to_the_end() {
        for open in ["'a;", "\"a;", "$$a;", "E'a\\", "E'a;"] {
            assert_eq!(texts(open), [open]);
        }
    }

    proptest! {
        #[test]
        fn every_text_ends_and_its_tokens_are_in_order(text in r#"[ae'"$\\;()/*\- \nü1]{0,24}"#) {
            let mut end = 0;
            for token in Tokens::of(&text) {
                prop_assert!(token.start >= end && !token.text.is_empty());
                end = token.start + token.text.len();
            }
            prop_assert!(end <= text.len());
        }
    }
}
