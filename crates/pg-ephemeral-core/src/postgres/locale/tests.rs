use super::*;

fn installation(version: &str) -> Installation {
    Installation { bin: "/x".into(), version: version.to_owned(), build: "b".to_owned() }
}

fn settings(locale: Option<&str>, provider: Option<&str>, icu_locale: Option<&str>) -> LocaleSettings {
    LocaleSettings {
        locale: locale.map(|text| text.parse().unwrap()),
        encoding: None,
        provider: provider.map(|text| text.parse().unwrap()),
        icu_locale: icu_locale.map(|text| text.parse().unwrap()),
    }
}

fn on_host(settings: &LocaleSettings, version: &str, installed: &[&str]) -> Result<ClusterLocale, LocaleError> {
    settings.on_host(&installation(version), || super::installed(installed))
}

fn arguments_on_engine(settings: &LocaleSettings) -> String {
    settings.on_engine(Some("en_US.utf8")).unwrap().initdb_arguments().join(" ")
}

#[test]
fn a_default_cluster_on_an_engine_has_the_locale_of_the_image() {
    let cluster = LocaleSettings::default().on_engine(Some("en_US.utf8")).unwrap();
    assert_eq!(cluster.locale.as_deref(), Some("en_US.utf8"));
    assert_eq!(cluster.initdb_arguments(), ["--lc-messages=C", "--encoding=UTF8"]);
    assert_eq!(LocaleSettings::default().on_engine(None).unwrap().locale, None);
}

#[test]
fn a_default_cluster_on_the_host_has_the_locale_of_the_official_image() {
    let cluster = on_host(&LocaleSettings::default(), "15.2", &["C", "en_US.utf8"]).unwrap();
    assert_eq!(cluster, ClusterLocale::default());
    assert_eq!(cluster.initdb_arguments(), ["--locale=en_US.utf8", "--lc-messages=C", "--encoding=UTF8"]);
}

#[test]
fn a_default_cluster_has_the_nearest_locale_if_the_default_one_is_missing() {
    let cluster = on_host(&LocaleSettings::default(), "15.2", &["C", "C.utf8", "POSIX"]).unwrap();
    assert_eq!(cluster.locale.as_deref(), Some("C.utf8"));
}

#[test]
fn a_locale_that_the_user_has_set_is_never_replaced() {
    let error = on_host(&settings(Some("en_US.utf8"), None, None), "15.2", &["C", "POSIX"]).unwrap_err();
    assert_eq!(error.to_string(), "the locale en_US.utf8 is not installed on this machine: there are C, POSIX");
    assert!(error.hint().unwrap().contains("make it"));
    let cluster = on_host(&settings(Some("POSIX"), None, None), "15.2", &[]).unwrap();
    assert_eq!(cluster.locale.as_deref(), Some("POSIX"));
}

#[test]
fn each_setting_becomes_an_argument_of_initdb() {
    let all =
        LocaleSettings { encoding: Some("UTF-8".parse().unwrap()), ..settings(Some("C"), Some("icu"), Some("de-AT")) };
    assert_eq!(
        arguments_on_engine(&all),
        "--locale=C --lc-messages=C --encoding=UTF-8 --locale-provider=icu --icu-locale=de-AT"
    );
    let builtin = settings(Some("PG_UNICODE_FAST"), Some("builtin"), None);
    assert_eq!(
        arguments_on_engine(&builtin),
        "--lc-messages=C --encoding=UTF8 --locale-provider=builtin --builtin-locale=PG_UNICODE_FAST"
    );
}

#[test]
fn icu_sorts_by_the_wanted_language_even_if_the_locale_is_replaced() {
    let icu = settings(None, Some("icu"), None);
    let cluster = on_host(&icu, "15.2", &["C", "C.utf8", "POSIX"]).unwrap();
    assert_eq!((cluster.locale.as_deref(), cluster.provider_locale.as_deref()), (Some("C.utf8"), Some("en-US")));
    let german = settings(Some("de_DE.utf8"), Some("icu"), None);
    assert_eq!(german.on_engine(Some("en_US.utf8")).unwrap().provider_locale.as_deref(), Some("de-DE"));
}

#[test]
fn a_provider_that_the_version_lacks_is_an_error() {
    for (provider, version, message) in [
        ("icu", "14.9", "the locale provider icu needs PostgreSQL 15 or newer, not 14.9"),
        ("builtin", "16.1", "the locale provider builtin needs PostgreSQL 17 or newer, not 16.1"),
    ] {
        let error = on_host(&settings(None, Some(provider), None), version, &["C"]).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert!(on_host(&settings(None, Some("builtin"), None), "17.0", &["C"]).is_ok());
}

#[test]
fn settings_that_do_not_fit_each_other_are_an_error_on_every_backend() {
    let icu_locale = settings(None, None, Some("de"));
    let error = icu_locale.on_engine(None).unwrap_err();
    assert_eq!(error.to_string(), "the ICU locale de needs the locale provider icu, not libc");
    assert_eq!(on_host(&icu_locale, "17.0", &["C"]).unwrap_err(), error);

    let builtin = settings(Some("de_DE.utf8"), Some("builtin"), None);
    let error = builtin.on_engine(None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the locale provider builtin has no locale de_DE.utf8: there are C, C.UTF-8 and PG_UNICODE_FAST"
    );
    assert_eq!(on_host(&builtin, "17.0", &["C"]).unwrap_err(), error);
}
