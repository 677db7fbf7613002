//! The precedence of the values for an instance.

use std::path::Path;
use std::time::Duration;

use ociman::Kind;

use super::parse;
use crate::config::{
    BackendChoice, Config, DEFAULT_WAIT_AVAILABLE_TIMEOUT, Durability, Effective, EffectiveError, EffectiveInstance,
    Origin, Overrides,
};
use crate::model::{CacheRegistry, Image, ParameterName, Parameters};

const FILE: &str = r#"
image = "15"
backend = "podman"
cache_registry = "ghcr.io/acme"
wait_available_timeout = "1m"
durability = true
superuser = "boss"
database = "shop"
locale = "C"
encoding = "LATIN1"
locale_provider = "icu"
icu_locale = "de"
ssl_config = { hostname = "top.example.com" }
parameters = { work_mem = "1MB", log_statement = "all", max_connections = 10 }

[instances.main]
image = "16"
wait_available_timeout = "2m"
durability = false
superuser = "root"
database = "store"
locale = "POSIX"
encoding = "SQL_ASCII"
locale_provider = "builtin"
ssl_config = { hostname = "own.example.com" }
parameters = { WORK_MEM = "2MB", max_connections = 20 }

[instances.plain]
"#;

fn instance(name: &str, overrides: &Overrides) -> Result<EffectiveInstance, EffectiveError> {
    parse(FILE).instance(&name.parse().unwrap(), overrides)
}

fn effective(name: &str) -> EffectiveInstance {
    instance(name, &Overrides::default()).unwrap()
}

fn parameters(entries: &[(&str, &str)]) -> Parameters {
    let mut parameters = Parameters::default();
    for (name, value) in entries {
        parameters.insert(name.parse().unwrap(), value.parse().unwrap());
    }
    parameters
}

fn overrides() -> Overrides {
    Overrides {
        image: Some("17".parse().unwrap()),
        backend: Some(BackendChoice::Only(Kind::Host)),
        cache_registry: Some("127.0.0.1:5000".parse().unwrap()),
        ssl_hostname: Some("cli.example.com".parse().unwrap()),
        parameters: parameters(&[("Work_Mem", "3MB")]),
    }
}

fn shown<T: ToString>(effective: &Effective<T>) -> (String, Origin) {
    (effective.value.to_string(), effective.origin)
}

fn hostname(instance: &EffectiveInstance) -> (&str, Origin) {
    let ssl = instance.ssl_config.as_ref().unwrap();
    (ssl.value.hostname.as_str(), ssl.origin)
}

#[test]
fn without_a_file_everything_is_the_default() {
    let config = Config::without_file("/project");
    let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
    let default = Origin::Default;
    assert_eq!(main.image, Effective { value: Image::default(), origin: default });
    assert_eq!(main.backend, Effective { value: BackendChoice::Auto, origin: default });
    assert_eq!(main.cache_registry, None);
    assert_eq!(main.wait_available_timeout, Effective { value: DEFAULT_WAIT_AVAILABLE_TIMEOUT, origin: default });
    assert_eq!(main.durability, Effective { value: Durability::Off, origin: default });
    assert_eq!(shown(&main.superuser), ("postgres".to_owned(), default));
    assert_eq!(shown(&main.database), ("postgres".to_owned(), default));
    assert_eq!(shown(&main.locale), ("en_US.utf8".to_owned(), default));
    assert_eq!(shown(&main.encoding), ("UTF8".to_owned(), default));
    assert_eq!(shown(&main.locale_provider), ("libc".to_owned(), default));
    assert_eq!(main.icu_locale, None);
    assert_eq!(main.ssl_config, None);
    assert!(main.parameters.is_empty() && main.seeds.is_empty());
    assert_eq!(main.folder, Path::new("/project"));
}

#[test]
fn the_top_level_applies_to_an_instance_that_sets_nothing() {
    let plain = effective("plain");
    let top_level = Origin::TopLevel;
    assert_eq!(plain.image, Effective { value: "15".parse().unwrap(), origin: top_level });
    assert_eq!(plain.backend, Effective { value: BackendChoice::Only(Kind::Podman), origin: top_level });
    assert_eq!(plain.cache_registry.as_ref().map(shown), Some(("ghcr.io/acme".to_owned(), top_level)));
    assert_eq!(plain.wait_available_timeout, Effective { value: Duration::from_secs(60), origin: top_level });
    assert_eq!(plain.durability, Effective { value: Durability::On, origin: top_level });
    assert_eq!(shown(&plain.superuser), ("boss".to_owned(), top_level));
    assert_eq!(shown(&plain.database), ("shop".to_owned(), top_level));
    assert_eq!(shown(&plain.locale), ("C".to_owned(), top_level));
    assert_eq!(shown(&plain.encoding), ("LATIN1".to_owned(), top_level));
    assert_eq!(shown(&plain.locale_provider), ("icu".to_owned(), top_level));
    assert_eq!(plain.icu_locale.as_ref().map(shown), Some(("de".to_owned(), top_level)));
    assert_eq!(hostname(&plain), ("top.example.com", top_level));
}

#[test]
fn an_instance_overrides_the_top_level() {
    let main = effective("main");
    let own = Origin::Instance;
    assert_eq!(main.image, Effective { value: "16".parse().unwrap(), origin: own });
    assert_eq!(main.wait_available_timeout, Effective { value: Duration::from_secs(120), origin: own });
    assert_eq!(main.durability, Effective { value: Durability::Off, origin: own });
    assert_eq!(shown(&main.superuser), ("root".to_owned(), own));
    assert_eq!(shown(&main.database), ("store".to_owned(), own));
    assert_eq!(shown(&main.locale), ("POSIX".to_owned(), own));
    assert_eq!(shown(&main.encoding), ("SQL_ASCII".to_owned(), own));
    assert_eq!(shown(&main.locale_provider), ("builtin".to_owned(), own));
    assert_eq!(hostname(&main), ("own.example.com", own));
}

#[test]
fn the_command_line_overrides_the_file() {
    let main = instance("main", &overrides()).unwrap();
    let command_line = Origin::CommandLine;
    assert_eq!(main.image, Effective { value: "17".parse().unwrap(), origin: command_line });
    assert_eq!(main.backend, Effective { value: BackendChoice::Only(Kind::Host), origin: command_line });
    assert_eq!(main.cache_registry.as_ref().map(shown), Some(("127.0.0.1:5000".to_owned(), command_line)));
    assert_eq!(hostname(&main), ("cli.example.com", command_line));
    assert_eq!(shown(&main.database), ("store".to_owned(), Origin::Instance));
}

#[test]
fn parameters_merge_by_name_without_case() {
    let main = instance("main", &overrides()).unwrap();
    let found = |name: &str| shown(&main.parameters[&name.parse::<ParameterName>().unwrap()]);
    assert_eq!(main.parameters.len(), 3);
    assert_eq!(found("work_mem"), ("3MB".to_owned(), Origin::CommandLine));
    assert_eq!(found("max_connections"), ("20".to_owned(), Origin::Instance));
    assert_eq!(found("log_statement"), ("all".to_owned(), Origin::TopLevel));
    assert_eq!(
        main.parameters(),
        parameters(&[("work_mem", "3MB"), ("max_connections", "20"), ("log_statement", "all")])
    );
}

#[test]
fn an_unknown_instance_is_reported_with_the_known_ones() {
    let error = instance("mian", &Overrides::default()).unwrap_err();
    insta::assert_snapshot!(error, @"there is no instance `mian`: there are main, plain");
    let EffectiveError::UnknownInstance { closest, known, .. } = error else { panic!("{error}") };
    assert_eq!(closest, Some("main".parse().unwrap()));
    assert_eq!(known.len(), 2);

    let error = Config::default().instance(&"reports".parse().unwrap(), &Overrides::default()).unwrap_err();
    insta::assert_snapshot!(error, @"there is no instance `reports`: there is main");
    assert!(matches!(error, EffectiveError::UnknownInstance { closest: None, .. }));
}

#[test]
fn an_ssl_parameter_of_the_command_line_beside_ssl_config_is_an_error() {
    let overrides = Overrides { parameters: parameters(&[("SSL_cert_file", "/x")]), ..Overrides::default() };
    insta::assert_snapshot!(instance("main", &overrides).unwrap_err(), @"parameter `SSL_cert_file` (command line) can't be set beside the SSL host name (instance), which sets SSL up");
}

#[test]
fn an_ssl_parameter_of_the_file_beside_an_ssl_host_name_of_the_command_line_is_an_error() {
    let config = parse("[instances.main.parameters]\nssl = true\n");
    let ssl_hostname = Some("localhost".parse().unwrap());
    let overrides = Overrides { ssl_hostname, ..Overrides::default() };
    let error = config.instance(&"main".parse().unwrap(), &overrides).unwrap_err();
    insta::assert_snapshot!(error, @"parameter `ssl` (instance) can't be set beside the SSL host name (command line), which sets SSL up");
}

#[test]
fn a_cache_registry_is_passed_on_as_written() {
    let registry: CacheRegistry = "localhost:5000/layers".parse().unwrap();
    let overrides = Overrides { cache_registry: Some(registry.clone()), ..Overrides::default() };
    assert_eq!(instance("plain", &overrides).unwrap().cache_registry.unwrap().value, registry);
}

#[test]
fn an_icu_locale_needs_the_provider_icu() {
    assert_eq!(effective("main").icu_locale, None);
    for text in ["icu_locale = 'de'", "locale_provider = 'libc'\n[instances.main]\nicu_locale = 'de'"] {
        let error = parse(text).instance(&"main".parse().unwrap(), &Overrides::default()).unwrap_err();
        assert!(matches!(error, EffectiveError::IcuLocaleWithoutIcu { .. }), "{error}");
    }
    let error = parse("icu_locale = 'de'").instance(&"main".parse().unwrap(), &Overrides::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the ICU locale `de` (top level) needs the locale provider `icu`, not `libc` (default)"
    );
}

#[test]
fn the_default_locale_depends_on_the_provider() {
    let config = parse("locale_provider = 'builtin'");
    let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
    assert_eq!(shown(&main.locale), ("C.UTF-8".to_owned(), Origin::Default));
}

#[test]
fn the_requested_instance_is_chosen_then_the_default_one_then_main_then_the_only_one() {
    let chosen = |text: &str, asked: Option<&str>| {
        let asked = asked.map(|name| name.parse().unwrap());
        parse(text).choose_instance(asked.as_ref()).map(|name| name.to_string()).map_err(|error| error.to_string())
    };
    let both = "[instances.other]\n[instances.main]";
    assert_eq!(chosen(both, None).unwrap(), "main");
    assert_eq!(chosen("[instances.other]", None).unwrap(), "other");
    assert_eq!(chosen(&format!("default_instance = 'other'\n{both}"), None).unwrap(), "other");
    assert_eq!(chosen(&format!("default_instance = 'other'\n{both}"), Some("main")).unwrap(), "main");
    assert_eq!(chosen("", None).unwrap(), "main");
    assert_eq!(chosen("[instances.b]\n[instances.a]", None).unwrap_err(), "no instance is selected: there are b, a");
}
