//! The locales that this machine's C library has, as `locale -a` lists them. The answer is remembered until a place
//! changes that locales are kept in, so that a warm start pays for a few looks at files and no program.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cmd_lib::run_fun;
use serde::{Deserialize, Serialize};

use crate::io::child::check_that_threads_start;
use crate::model::Locale;
use crate::state::Folders;
use crate::state::folders::write_whole;

/// Where C libraries keep locales: glibc, macOS and musl.
const PLACES: [&str; 5] = [
    "/usr/lib/locale",
    "/usr/lib/locale/locale-archive",
    "/usr/lib64/locale",
    "/usr/share/locale",
    "/usr/share/i18n/locales/musl",
];

/// What is there on each machine of the kind that this one is, when `locale -a` does not say.
const LIKELY: &str = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };

/// The names of the locales; none when nobody could be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct InstalledLocales(Vec<String>);

/// What an earlier command was told, and what the places looked like then.
#[derive(Serialize, Deserialize)]
struct Remembered {
    stamps: Vec<Option<[i64; 5]>>,
    names: Vec<String>,
}

impl InstalledLocales {
    /// What is remembered, or what `locale -a` says, which is remembered then.
    pub(crate) fn find(folders: &Folders) -> Self {
        let stamps = stamps();
        if let Some(names) = remembered(folders, &stamps) {
            return Self(names);
        }
        let Some(names) = ask() else { return Self::default() };
        if folders.state_folder("").is_ok() {
            let remember = Remembered { stamps, names: names.clone() };
            // Not being able to keep it only costs the next command some time.
            let _ = serde_json::to_vec(&remember)
                .map_err(io::Error::from)
                .and_then(|json| write_whole(&path(folders), &json));
        }
        Self(names)
    }

    /// As [`InstalledLocales::find`], but it writes nothing.
    pub(crate) fn look(folders: &Folders) -> Self {
        Self(remembered(folders, &stamps()).or_else(ask).unwrap_or_default())
    }

    /// Their names, as the C library lists them.
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// The name by which the C library has a locale that may be spelled in another way; `None` when it has none like it.
    /// When nobody knows what there is, the name is taken as it is, and `initdb` has the last word.
    pub(super) fn find_name(&self, name: &str) -> Option<String> {
        if self.0.is_empty() || self.0.iter().any(|there| there == name) {
            return Some(name.to_owned());
        }
        let same = self.0.iter().find(|there| normalised(there) == normalised(name))?;
        // Linux takes every spelling of the encoding, so that the cluster has the name that was asked for.
        Some(if cfg!(target_os = "linux") { name } else { same }.to_owned())
    }

    /// The same for the default locale, which must be known to be there.
    pub(super) fn find_default(&self) -> Option<String> {
        if self.0.is_empty() { None } else { self.find_name(Locale::default().as_str()) }
    }

    /// What sorts most like the default locale where that is missing: English of another country, then code points.
    pub(super) fn nearest_to_default(&self) -> String {
        if self.0.is_empty() {
            return LIKELY.to_owned();
        }
        let is_utf8 = |name: &&String| normalised(name).ends_with(".utf8");
        let english = self.0.iter().filter(is_utf8).filter(|name| name.starts_with("en_")).min();
        let by_code_point = || self.0.iter().find(|name| normalised(name) == "C.utf8");
        english.or_else(by_code_point).map_or("C", String::as_str).to_owned()
    }
}

/// Whether every C library has it.
pub(super) fn is_everywhere(name: &str) -> bool {
    matches!(name, "C" | "POSIX")
}

/// What somebody does to have a locale.
pub(super) fn how_to_make(name: &str) -> String {
    let (language, rest) = name.split_at(name.find(['.', '@']).unwrap_or(name.len()));
    if cfg!(target_os = "linux") && normalised(rest) == ".utf8" {
        return format!(
            "make it: `localedef -i {language} -f UTF-8 {language}.UTF-8` (its sources are in Debian's package locales)"
        );
    }
    "make it with localedef or locale-gen".to_owned()
}

/// The encoding in lower-case letters and digits alone, as glibc compares it.
fn normalised(name: &str) -> String {
    let Some((language, rest)) = name.split_once('.') else { return name.to_owned() };
    let (encoding, modifier) = rest.split_at(rest.find('@').unwrap_or(rest.len()));
    let encoding: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{language}.{}{modifier}", encoding.to_ascii_lowercase())
}

/// No name when the system has no such program, and `None` when it could not be run. Servers of the host backend have an
/// environment of their own, which names no other place of locales.
fn ask() -> Option<Vec<String>> {
    if !is_on_path("locale") {
        return Some(Vec::new());
    }
    check_that_threads_start().ok()?;
    let listed = run_fun!(env -u LOCPATH -u LOCALE_ARCHIVE locale -a 2>/dev/null).ok()?;
    let names = listed.lines().map(str::trim).filter(|name| !name.is_empty());
    let names: BTreeSet<&str> = names.collect();
    Some(names.into_iter().map(str::to_owned).collect())
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn path(folders: &Folders) -> PathBuf {
    folders.state().join("locales.json")
}

/// Without the file, or with a broken one, `locale -a` is asked again.
fn remembered(folders: &Folders, stamps: &[Option<[i64; 5]>]) -> Option<Vec<String>> {
    let remembered: Remembered = serde_json::from_slice(&ociman::files::read(&path(folders)).ok()?).ok()?;
    (remembered.stamps == stamps).then_some(remembered.names)
}

fn stamps() -> Vec<Option<[i64; 5]>> {
    PLACES.into_iter().map(|place| stamp(Path::new(place))).collect()
}

fn stamp(place: &Path) -> Option<[i64; 5]> {
    let metadata = fs::metadata(place).ok()?;
    Some([
        metadata.dev().cast_signed(),
        metadata.ino().cast_signed(),
        metadata.size().cast_signed(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    ])
}

#[cfg(test)]
pub(crate) fn installed(names: &[&str]) -> InstalledLocales {
    InstalledLocales(names.iter().map(|&name| name.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON_DEBIAN: [&str; 6] = ["C", "C.utf8", "POSIX", "de_DE.utf8", "en_US", "en_US.utf8"];

    #[test]
    fn a_locale_is_found_by_each_spelling_of_its_encoding() {
        let locales = installed(&ON_DEBIAN);
        for name in ["en_US.utf8", "en_US.UTF-8", "C.UTF-8", "en_US"] {
            assert_eq!(locales.find_name(name).as_deref(), Some(name));
        }
        for name in ["en_us.utf8", "de_DE", "de_DE.utf8@euro", "fr_FR.utf8", "en_US.latin1"] {
            assert_eq!(locales.find_name(name), None, "{name}");
        }
    }

    #[test]
    fn the_nearest_to_english_of_the_united_states_is_other_english_and_then_the_order_of_code_points() {
        for (names, nearest) in [
            (&["C", "C.utf8", "POSIX", "en_GB", "en_GB.utf8", "en_AU.iso88591"][..], "en_GB.utf8"),
            (&["C", "C.utf8", "POSIX", "de_DE.utf8", "en_GB"], "C.utf8"),
            (&["C", "C.UTF-8", "POSIX"], "C.UTF-8"),
            (&["C", "POSIX", "en_GB.iso88591"], "C"),
        ] {
            assert_eq!(installed(names).nearest_to_default(), nearest);
        }
    }

    #[test]
    fn where_nobody_knows_what_there_is_only_the_default_is_replaced() {
        let unknown = installed(&[]);
        assert_eq!(unknown.find_name("de_DE.utf8").as_deref(), Some("de_DE.utf8"));
        assert_eq!(unknown.find_default(), None);
        assert_eq!(unknown.nearest_to_default(), LIKELY);
    }

    #[test]
    fn what_was_listed_is_remembered_until_a_place_of_locales_changes() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        assert_eq!(InstalledLocales::look(&folders), InstalledLocales::find(&folders));
        let write = |stamps, names: &[&str]| {
            let names = installed(names).0;
            fs::create_dir_all(folders.state()).unwrap();
            fs::write(path(&folders), serde_json::to_vec(&Remembered { stamps, names }).unwrap()).unwrap();
        };
        write(stamps(), &["xx_XX.utf8"]);
        assert_eq!(InstalledLocales::find(&folders), installed(&["xx_XX.utf8"]));
        write(vec![None, Some([0; 5])], &["xx_XX.utf8"]);
        assert_ne!(InstalledLocales::find(&folders), installed(&["xx_XX.utf8"]));
        fs::write(path(&folders), "{").unwrap();
        assert_ne!(InstalledLocales::look(&folders), installed(&["xx_XX.utf8"]));
    }

    #[test]
    fn a_missing_locale_comes_with_the_command_that_makes_it() {
        if cfg!(target_os = "linux") {
            assert!(how_to_make("de_DE.utf8").contains("`localedef -i de_DE -f UTF-8 de_DE.UTF-8`"));
        }
        assert_eq!(how_to_make("de_DE@euro"), "make it with localedef or locale-gen");
    }
}
