//! Checks the imports of a crate against its floors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::source::paths;

/// One file of a crate.
pub(crate) struct Source {
    /// The path of the file, relative to the folder of sources.
    place: String,
    module: Vec<String>,
    text: String,
}

impl Source {
    pub(crate) fn new(place: &Path, text: String) -> Self {
        let mut module: Vec<String> =
            place.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        module.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
        Self { place: place.to_str().unwrap().to_owned(), module, text }
    }

    /// Returns the floor and the module of the file, or `None` if the file belongs to no module of a floor or is only
    /// for tests or fuzzing.
    pub(crate) fn module_of_floor(&self) -> Option<&[String]> {
        let is_fuzzing = self.module.iter().any(|part| part == "fuzzing");
        self.module.get(..2).filter(|_| !self.is_for_tests() && !is_fuzzing)
    }

    fn is_for_tests(&self) -> bool {
        self.module.iter().any(|part| part == "tests") || self.module.first().is_some_and(|first| first == "bin")
    }
}

/// A module of a floor, or `None` for the floor's own file.
type Part = Option<String>;

/// The imports within one floor, each with the file and line of its first occurrence.
type Imports = BTreeMap<(Part, Part), String>;

/// Returns the problems with the imports of a crate.
pub(crate) fn check(floors: &[&[&str]], tangled: &[&str], sources: &[Source]) -> Vec<String> {
    let order: Vec<&str> = floors.iter().copied().flatten().copied().collect();
    let sources: Vec<&Source> = sources.iter().filter(|source| !source.is_for_tests()).collect();
    let modules: BTreeSet<Vec<String>> = sources.iter().map(|source| source.module.clone()).collect();
    let names: BTreeSet<&str> = modules.iter().filter_map(|module| Some(module.first()?.as_str())).collect();
    let mut problems: Vec<String> =
        names.iter().filter(|name| !order.contains(name)).map(|name| format!("`{name}` has no floor")).collect();
    problems
        .extend(order.iter().filter(|name| !names.contains(*name)).map(|name| format!("there is no module `{name}`")));

    let read: Vec<_> = sources.iter().map(|source| (*source, paths(&source.text, &source.module, &modules))).collect();
    let handed_on: BTreeMap<Vec<String>, Vec<String>> = read
        .iter()
        .flat_map(|(source, paths)| {
            paths.handed_on.iter().map(|(name, (_, path))| (child(&source.module, name), path.clone()))
        })
        .collect();
    let mut within: BTreeMap<&str, Imports> = BTreeMap::new();
    for (source, paths) in &read {
        let Some(from) = source.module.first() else { continue };
        let handed_on_from_elsewhere =
            paths.handed_on.iter().map(|(_, at)| at).filter(|(_, path)| path.first() != Some(from));
        for (line, path) in paths.used.iter().chain(handed_on_from_elsewhere) {
            let path = followed(from, path, &modules, &handed_on);
            let Some(to) = path.first().filter(|to| names.contains(to.as_str())) else { continue };
            let place = format!("{}:{line}", source.place);
            if to != from {
                if order.iter().position(|name| name == to) > order.iter().position(|name| name == from) {
                    problems.push(format!("{place}: `{from}` imports `{to}`, which stands above it"));
                }
                continue;
            }
            let part = |path: &[String]| path.get(1).filter(|_| modules.contains(&path[..2])).cloned();
            let (one, other) = (part(&source.module), part(&path));
            if one != other && modules.iter().any(|module| module.len() > 1 && module[0] == *from) {
                within.entry(from.as_str()).or_default().entry((one, other)).or_insert(place);
            }
        }
    }
    for (floor, imports) in within.iter().filter(|(floor, _)| !tangled.contains(floor)) {
        let name = |part: &Part| part.as_ref().map_or((*floor).to_owned(), |part| format!("{floor}::{part}"));
        for ((from, to), place) in imports.iter().filter(|((from, to), _)| leads_to(imports, to, from)) {
            problems.push(format!("{place}: `{}` imports `{}`, which leads back to it", name(from), name(to)));
        }
    }
    problems
}

fn child(module: &[String], name: &str) -> Vec<String> {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// Follows re-exports, and returns the path at which the item at the end of a path is defined.
fn followed(
    from: &String,
    path: &[String],
    modules: &BTreeSet<Vec<String>>,
    handed_on: &BTreeMap<Vec<String>, Vec<String>>,
) -> Vec<String> {
    for length in 1..=path.len() {
        let (start, rest) = path.split_at(length);
        if modules.contains(start) {
            continue;
        }
        // To floors above it, an item that a floor re-exports from below counts as the floor's own.
        match handed_on
            .get(start)
            .filter(|target| length == 1 || target.first() == path.first() || path.first() == Some(from))
        {
            Some(target) if target.as_slice() != start => {
                return followed(from, &[target.as_slice(), rest].concat(), modules, handed_on);
            }
            _ => break,
        }
    }
    path.to_vec()
}

/// Returns `true` if a module imports another, directly or indirectly.
fn leads_to(imports: &Imports, from: &Part, to: &Part) -> bool {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(part) = waiting.pop() {
        if part == to {
            return true;
        }
        if seen.insert(part) {
            waiting.extend(imports.keys().filter(|(one, _)| one == part).map(|(_, other)| other));
        }
    }
    false
}
