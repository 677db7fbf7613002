//! The locales of this machine's C library, as `locale -a` lists them. The list is remembered until one of `PLACES`
//! changes, so that a start usually reads the metadata of a few files and runs no program.

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

/// The files and folders in which glibc, macOS and musl keep locales.
const PLACES: [&str; 5] = [
    "/usr/lib/locale",
    "/usr/lib/locale/locale-archive",
    "/usr/lib64/locale",
    "/usr/share/locale",
    "/usr/share/i18n/locales/musl",
];

/// The locale that is used if `locale -a` does not list any. Every machine with this operating system has it.
const LIKELY: &str = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };

/// The names of the installed locales; empty if they could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct InstalledLocales(Vec<String>);

/// The list of an earlier command, with the states of `PLACES` at that time.
#[derive(Serialize, Deserialize)]
struct Remembered {
    stamps: Vec<Option<[i64; 5]>>,
    names: Vec<String>,
}

impl InstalledLocales {
    /// Returns the remembered locales. If there are none, runs `locale -a` and remembers its list.
    pub(crate) fn find(folders: &Folders) -> Self {
        let stamps = stamps();
        if let Some(names) = remembered(folders, &stamps) {
            return Self(names);
        }
        let Some(names) = ask() else { return Self::default() };
        if folders.state_folder("").is_ok() {
            let remember = Remembered { stamps, names: names.clone() };
            // If this fails, only the next command is slower.
            let _ = serde_json::to_vec(&remember)
                .map_err(io::Error::from)
                .and_then(|json| write_whole(&path(folders), &json));
        }
        Self(names)
    }

    /// Finds the locales like [`InstalledLocales::find`], but writes nothing.
    pub(crate) fn look(folders: &Folders) -> Self {
        Self(remembered(folders, &stamps()).or_else(ask).unwrap_or_default())
    }

    /// Returns the names of the locales, as the C library lists them.
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// Returns the C library's name for a locale whose encoding may be spelled differently; `None` if the locale is not
    /// installed. If the installed locales are not known, returns the name as it is; `initdb` then checks it.
    pub(super) fn find_name(&self, name: &str) -> Option<String> {
        if self.0.is_empty() || self.0.iter().any(|there| there == name) {
            return Some(name.to_owned());
        }
        let same = self.0.iter().find(|there| normalised(there) == normalised(name))?;
        // Linux accepts every spelling of the encoding, so the cluster gets the name that the user has set.
        Some(if cfg!(target_os = "linux") { name } else { same }.to_owned())
    }

    /// Finds the name of the default locale like `find_name`, but returns `None` if the installed locales are not
    /// known.
    pub(super) fn find_default(&self) -> Option<String> {
        if self.0.is_empty() { None } else { self.find_name(Locale::default().as_str()) }
    }

    /// Returns the installed locale that sorts most like the default one: English of another country, or else the order
    /// of code points.
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

/// Returns `true` if every C library has the locale.
pub(super) fn is_everywhere(name: &str) -> bool {
    matches!(name, "C" | "POSIX")
}

/// Returns what the user can do to get a locale.
pub(super) fn how_to_make(name: &str) -> String {
    let (language, rest) = name.split_at(name.find(['.', '@']).unwrap_or(name.len()));
    if cfg!(target_os = "linux") && normalised(rest) == ".utf8" {
        return format!(
            "make it: `localedef -i {language} -f UTF-8 {language}.UTF-8` (its sources are in Debian's package locales)"
        );
    }
    "make it with localedef or locale-gen".to_owned()
}

/// Returns a locale name with only the letters, in lower case, and digits of its encoding, as glibc compares it.
fn normalised(name: &str) -> String {
    let Some((language, rest)) = name.split_once('.') else { return name.to_owned() };
    let (encoding, modifier) = rest.split_at(rest.find('@').unwrap_or(rest.len()));
    let encoding: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{language}.{}{modifier}", encoding.to_ascii_lowercase())
}

/// Runs `locale -a`. Returns an empty list if the system has no such program, and `None` if the program can't be run.
/// The caller's variables for other places of locales are removed, because servers of the host backend do not get them
/// either.
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

/// Returns the remembered names; `None` if the file is missing, broken or outdated.
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
    fn the_nearest_locale_to_the_default_is_other_english_and_then_the_order_of_code_points() {
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
    fn if_the_installed_locales_are_not_known_only_the_default_is_replaced() {
        let unknown = installed(&[]);
        assert_eq!(unknown.find_name("de_DE.utf8").as_deref(), Some("de_DE.utf8"));
        assert_eq!(unknown.find_default(), None);
        assert_eq!(unknown.nearest_to_default(), LIKELY);
    }

    #[test]
    fn the_list_is_remembered_until_a_folder_of_locales_changes() {
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
    fn the_advice_for_a_missing_locale_names_the_command_that_makes_it() {
        if cfg!(target_os = "linux") {
            assert!(how_to_make("de_DE.utf8").contains("`localedef -i de_DE -f UTF-8 de_DE.UTF-8`"));
        }
        assert_eq!(how_to_make("de_DE@euro"), "make it with localedef or locale-gen");
    }
}
