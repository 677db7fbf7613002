//! Checks that this machine has the locales by which clusters of the host backend sort text.

use super::finding::{Area, Finding, Level};
use crate::config::{Config, Origin, Overrides};
use crate::model::{Locale, LocaleProvider};
use crate::postgres::host_image::Installations;
use crate::postgres::locale::{InstalledLocales, Missing, missing_on_host};
use crate::state::Folders;

pub(super) fn examine(folders: &Folders, config: Option<&Config>) -> Vec<Finding> {
    // Without an installation only engines run servers, and their images have their own locales.
    if Installations::look(folders).is_err() {
        return Vec::new();
    }
    let wanted = config.map_or_else(|| vec![None], wanted);
    let missing = missing_on_host(&InstalledLocales::look(folders), &wanted);
    missing.into_iter().map(of_missing).collect()
}

/// Returns the locale of the operating system that each instance asks for; `None` stands for the default.
fn wanted(config: &Config) -> Vec<Option<Locale>> {
    let instances = config.instances().keys().filter_map(|name| config.instance(name, &Overrides::default()).ok());
    let locales = instances.map(|instance| {
        let is_set = instance.locale.origin != Origin::Default;
        let is_of_system = instance.locale_provider.value != LocaleProvider::Builtin;
        (is_set && is_of_system).then_some(instance.locale.value)
    });
    locales.collect()
}

fn of_missing(missing: Missing) -> Finding {
    let Missing { locale, instead, how_to_make } = missing;
    let message = match &instead {
        Some(nearest) => format!(
            "is not installed on this machine: the host backend sorts text by {nearest}, docker and podman by {locale}"
        ),
        None => "is not installed on this machine: the host backend can't start instances that ask for it".to_owned(),
    };
    Finding::new(Area::Programs, format!("locale {locale}"), Level::Warning, message).advice(how_to_make)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::locale::installed;

    fn findings(text: &str, names: &[&str]) -> Vec<String> {
        let config = Config::parse(text, "database.toml").unwrap();
        let missing = missing_on_host(&installed(names), &wanted(&config));
        let findings = missing.into_iter().map(of_missing);
        findings.map(|finding| format!("{} {}", finding.subject, finding.message)).collect()
    }

    #[test]
    fn a_substitute_for_the_default_locale_is_reported_once() {
        let text = "[instances.a]\n[instances.b]\n[instances.c]\nlocale = 'C'\n";
        assert_eq!(
            findings(text, &["C", "C.utf8", "POSIX"]),
            ["locale en_US.utf8 is not installed on this machine: the host backend sorts text by C.utf8, docker and \
              podman by en_US.utf8"]
        );
        assert_eq!(findings(text, &["C", "POSIX", "en_US.utf8"]), [""; 0]);
    }

    #[test]
    fn a_missing_locale_that_an_instance_asks_for_is_reported() {
        let text = "locale = 'de_DE.utf8'\n[instances.a]\nlocale_provider = 'icu'\n[instances.b]\n\
                    locale_provider = 'builtin'\nlocale = 'PG_UNICODE_FAST'\n";
        assert_eq!(
            findings(text, &["C", "POSIX", "en_US.utf8"]),
            [
                "locale de_DE.utf8 is not installed on this machine: the host backend can't start instances that ask for it"
            ]
        );
        assert_eq!(findings(text, &["C", "POSIX", "en_US.utf8", "de_DE.utf8"]), [""; 0]);
    }
}
