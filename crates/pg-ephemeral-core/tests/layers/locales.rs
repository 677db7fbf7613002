//! How text is sorted and stored. All backends do it in the same way unless the configuration says otherwise.

use ociman::Kind;
use pg_ephemeral_core::config::LocaleProvider;
use pg_ephemeral_core::{Definition, Folders, Server, StartError, locale};

use super::{TestProject, error_chain, value};

const SORTED: &str =
    "SELECT string_agg(x, ' ' ORDER BY x) FROM unnest(ARRAY['Alpha','alpha','beta','Beta','_x','b-a','ba']) x";
/// The words of [`SORTED`] in the order of `en_US.utf8`, and in the order of their code points.
const AS_ENGLISH: &str = "alpha Alpha b-a ba beta Beta _x";
const BY_CODE_POINT: &str = "Alpha Beta _x alpha b-a ba beta";
const DATABASE: &str =
    "SELECT datcollate || ' ' || pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()";

async fn started(definition: &Definition) -> Server {
    definition.start().await.unwrap_or_else(|error| panic!("{}", error_chain(&error)))
}

pub(crate) async fn text_is_sorted_as_in_the_official_image(ground: TestProject) {
    let expected = match ground.kind {
        Kind::Host => locale::default_of_host(&Folders::at(ground.state())),
        _ => "en_US.utf8".to_owned(),
    };
    let server = ground.start("").await;
    assert_eq!(value(&server, DATABASE).await, format!("{expected} UTF8"));
    // If this machine lacks that locale, another one is used, which sorts in another order.
    if expected == "en_US.utf8" {
        assert_eq!(value(&server, SORTED).await, AS_ENGLISH);
    }
    assert_eq!(value(&server, "current_setting('lc_messages')").await, "C");
    server.stop().await.unwrap();
}

pub(crate) async fn a_cluster_has_the_configured_locale_and_encoding(ground: TestProject) {
    ground.populate("").await;
    let of_default = ground.layers();
    let definition = ground.definition("").locale("C".parse().unwrap()).encoding("LATIN1".parse().unwrap());
    for _ in 0..2 {
        let server = started(&definition).await;
        assert_eq!(value(&server, DATABASE).await, "C LATIN1");
        assert_eq!(value(&server, SORTED).await, BY_CODE_POINT);
        server.stop().await.unwrap();
    }
    assert_eq!(of_default.len(), 1, "{of_default:?}");
    assert_eq!(ground.layers().len(), 2, "{:?}", ground.layers());
    let server = ground.start("").await;
    assert!(value(&server, DATABASE).await.ends_with(" UTF8"));
    server.stop().await.unwrap();
}

pub(crate) async fn icu_sorts_by_its_own_locale(ground: TestProject) {
    let icu = ground.definition("").locale_provider(LocaleProvider::Icu);
    let server = match icu.clone().icu_locale("en-u-kn-true".parse().unwrap()).start().await {
        Ok(server) => server,
        // Older versions have no ICU for whole databases, and some builds have none at all.
        Err(StartError::Locale(_)) => return,
        Err(StartError::Died { log, .. }) if log.contains("ICU is not supported") => return,
        Err(error) => panic!("{}", error_chain(&error)),
    };
    let numbers = "SELECT string_agg(x, ' ' ORDER BY x) FROM unnest(ARRAY['v10','v9','V9']) x";
    assert_eq!(value(&server, numbers).await, "v9 V9 v10");
    server.stop().await.unwrap();

    let server = started(&icu).await;
    assert_eq!(value(&server, numbers).await, "v10 v9 V9");
    server.stop().await.unwrap();
}

pub(crate) async fn a_locale_that_an_image_lacks_is_an_error_with_the_message_of_initdb(ground: TestProject) {
    let definition = ground.definition("").locale("xx_XX.utf8".parse().unwrap());
    let error = definition.start().await.map(drop).unwrap_err();
    assert!(error_chain(&error).contains("invalid locale name \"xx_XX.utf8\""), "{}", error_chain(&error));
    ground.assert_nothing_runs();
}

pub(crate) async fn a_locale_that_this_machine_lacks_is_an_error_with_a_hint(ground: TestProject) {
    let definition = ground.definition("").locale("xx_XX.utf8".parse().unwrap());
    let error = definition.start().await.map(drop).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("the locale xx_XX.utf8 is not installed on this machine: there are "), "{message}");
    assert!(error.hint().unwrap().contains("localedef -i xx_XX -f UTF-8 xx_XX.UTF-8"), "{:?}", error.hint());
    ground.assert_nothing_runs();
}

pub(crate) async fn contradictory_locale_settings_are_an_error_before_anything_starts(ground: TestProject) {
    let with_icu_locale = ground.definition("").icu_locale("de".parse().unwrap());
    let error = with_icu_locale.start().await.map(drop).unwrap_err();
    assert_eq!(error.to_string(), "the ICU locale de needs the locale provider icu, not libc");

    let builtin = ground.definition("").locale_provider(LocaleProvider::Builtin).locale("C.UTF-8".parse().unwrap());
    match builtin.start().await {
        Ok(server) => {
            assert_eq!(value(&server, SORTED).await, BY_CODE_POINT);
            server.stop().await.unwrap();
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with("the locale provider builtin needs PostgreSQL 17 or newer, not "), "{message}");
        }
    }
    ground.assert_nothing_runs();
}
