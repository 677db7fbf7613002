//! A second implementation of the grammar of the distribution reference library, as an oracle for the parser. Its rules
//! are data, and it tries every way to read a text. It shares no code with the parser.

use std::collections::BTreeSet;

/// A rule of the grammar.
#[derive(Clone)]
enum Rule {
    OneOf(fn(char) -> bool),
    Sequence(Vec<Rule>),
    Either(Vec<Rule>),
    Repeat { least: usize, rule: Box<Rule> },
}

use Rule::{Either, OneOf, Repeat, Sequence};

impl Rule {
    /// Returns every position where the rule can end if it starts at `start`.
    fn ends(&self, text: &[char], start: usize) -> BTreeSet<usize> {
        match self {
            OneOf(allowed) => {
                text.get(start).filter(|character| allowed(**character)).map(|_| start + 1).into_iter().collect()
            }
            Sequence(rules) => {
                rules.iter().fold(BTreeSet::from([start]), |starts, rule| rule.ends_of_all(text, &starts))
            }
            Either(rules) => rules.iter().flat_map(|rule| rule.ends(text, start)).collect(),
            Repeat { least, rule } => {
                let mut last = BTreeSet::from([start]);
                for _ in 0..*least {
                    last = rule.ends_of_all(text, &last);
                }
                let mut all = last.clone();
                while !last.is_empty() {
                    last = rule.ends_of_all(text, &last).difference(&all).copied().collect();
                    all.extend(&last);
                }
                all
            }
        }
    }

    fn ends_of_all(&self, text: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        starts.iter().flat_map(|start| self.ends(text, *start)).collect()
    }
}

fn character(allowed: fn(char) -> bool) -> Rule {
    OneOf(allowed)
}

fn sequence<const N: usize>(rules: [Rule; N]) -> Rule {
    Sequence(rules.into())
}

fn either<const N: usize>(rules: [Rule; N]) -> Rule {
    Either(rules.into())
}

fn at_least(least: usize, rule: Rule) -> Rule {
    Repeat { least, rule: Box::new(rule) }
}

fn optional(rule: Rule) -> Rule {
    either([sequence([]), rule])
}

fn list(item: Rule, separator: Rule) -> Rule {
    sequence([item.clone(), at_least(0, sequence([separator, item]))])
}

fn digest() -> Rule {
    let algorithm_part =
        sequence([character(|c| c.is_ascii_alphabetic()), at_least(0, character(|c| c.is_ascii_alphanumeric()))]);
    let algorithm = list(algorithm_part, character(|c| "+.-_".contains(c)));
    sequence([algorithm, character(|c| c == ':'), at_least(32, character(|c| c.is_ascii_hexdigit()))])
}

fn reference() -> Rule {
    let alphanumeric = || character(|c| c.is_ascii_alphanumeric());
    let host_part = either([
        alphanumeric(),
        sequence([alphanumeric(), at_least(0, character(|c| c.is_ascii_alphanumeric() || c == '-')), alphanumeric()]),
    ]);
    let address = sequence([
        character(|c| c == '['),
        at_least(1, character(|c| c.is_ascii_hexdigit() || c == ':')),
        character(|c| c == ']'),
    ]);
    let port = sequence([character(|c| c == ':'), at_least(1, character(|c| c.is_ascii_digit()))]);
    let domain = sequence([either([list(host_part, character(|c| c == '.')), address]), optional(port)]);

    let lower = at_least(1, character(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
    let separator = either([
        character(|c| c == '.' || c == '_'),
        sequence([character(|c| c == '_'), character(|c| c == '_')]),
        at_least(1, character(|c| c == '-')),
    ]);
    let path = list(list(lower, separator), character(|c| c == '/'));

    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let tag = sequence([character(word), at_least(0, character(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)))]);
    sequence([
        optional(sequence([domain, character(|c| c == '/')])),
        path,
        optional(sequence([character(|c| c == ':'), tag])),
        optional(sequence([character(|c| c == '@'), digest()])),
    ])
}

fn is(rule: &Rule, text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    rule.ends(&characters, 0).contains(&characters.len())
}

/// Returns `true` if `text` is a reference by the grammar. The limits of length and number are not part of it.
pub(super) fn is_reference(text: &str) -> bool {
    is(&reference(), text)
}

/// Returns `true` if `text` is a digest by the grammar.
pub(super) fn is_digest(text: &str) -> bool {
    is(&digest(), text)
}

#[test]
fn the_oracle_accepts_exactly_what_the_grammar_allows() {
    for text in ["a", "a.b/c", "A.b:80/c:T@md5:00000000000000000000000000000000", "[::]/a", "a__b/c--d"] {
        assert!(is_reference(text), "{text}");
    }
    for text in ["", "A", "a___b", "a/", "/a", "a:", "a@b", "a@md5:0000000000000000000000000000000", "[]/a"] {
        assert!(!is_reference(text), "{text}");
    }
}
