use super::super::value;
use super::*;

const HASH: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

fn seeds_json() -> String {
    format!(r#"[{{"name":"schema","type":"sql-file","hash":"{HASH}","description":"schema.sql"}}]"#)
}

/// Returns the labels of a layer image, with changes.
fn image_labels(changes: &[(Key, &str)]) -> Labels {
    let mut labels = Labels::from_iter([
        (VERSION_KEY, value(env!("CARGO_PKG_VERSION"))),
        (INSTANCE_KEY, value("billing")),
        (IMAGE_KEY, value("docker.io/library/postgres:17")),
        (SEEDS_KEY, value(&seeds_json())),
        (SUPERUSER_USER_KEY, value("postgres")),
        (SUPERUSER_DATABASE_KEY, value("shop")),
        (OWNER_KEY, value("")),
        (NONCE_KEY, value("")),
    ]);
    for (key, text) in changes {
        labels.insert(key.clone(), value(text));
    }
    labels
}

fn container_labels(changes: &[(Key, &str)]) -> Labels {
    let owner = serde_json::to_string(&Owner::current()).unwrap();
    let mut labels = image_labels(&[(OWNER_KEY, &owner), (NONCE_KEY, "n")]);
    labels.extend(changes.iter().map(|(key, text)| (key.clone(), value(text))));
    labels
}

#[test]
fn the_labels_of_a_layer_image_are_read() {
    let metadata = read_image(&image_labels(&[])).unwrap();
    assert_eq!(metadata.instance.as_str(), "billing");
    assert_eq!(metadata.image.to_string(), "docker.io/library/postgres:17");
    assert_eq!(metadata.seeds[0].kind, SeedKind::SqlFile);
    assert_eq!(metadata.seeds[0].hash.as_ref().map(SeedHash::as_str), Some(HASH));
    assert_eq!(metadata.database.as_str(), "shop");
    assert_eq!((metadata.owner, metadata.nonce, metadata.session, metadata.ssl), (None, None, None, None));
}

#[test]
fn the_labels_of_a_container_name_its_owner_and_its_session() {
    let metadata = read_container(&container_labels(&[(SESSION_KEY, "review"), (EXPIRES_KEY, "1000")])).unwrap();
    assert_eq!(metadata.owner, Some(Owner::current()));
    assert_eq!(metadata.nonce.as_deref(), Some("n"));
    assert_eq!(metadata.session.unwrap().as_str(), "review");
    assert!(metadata.expires.is_some());
}

#[test]
fn the_error_names_a_missing_label() {
    for key in [VERSION_KEY, INSTANCE_KEY, IMAGE_KEY, SEEDS_KEY, SUPERUSER_USER_KEY, SUPERUSER_DATABASE_KEY] {
        let error = read_image(&image_labels(&[(key.clone(), "")])).unwrap_err();
        assert!(matches!(&error, ReadError::Missing { key: named } if *named == key), "{error}");
    }
    let error = read_container(&container_labels(&[(OWNER_KEY, "")])).unwrap_err();
    assert_eq!(error.to_string(), "the label pg-ephemeral.owner is missing");
    assert_eq!(
        read_container(&container_labels(&[(SESSION_KEY, "s"), (NONCE_KEY, "")])).unwrap_err().key(),
        &NONCE_KEY
    );
    assert_eq!(read_container(&container_labels(&[(SSL_HOSTNAME_KEY, "h")])).unwrap_err().key(), &SSL_CA_CERT_PEM_KEY);
}

#[test]
fn the_error_names_a_malformed_label_and_its_value() {
    let broken = [
        (VERSION_KEY, "seven"),
        (VERSION_KEY, "1.2"),
        (INSTANCE_KEY, "Billing"),
        (IMAGE_KEY, "a b"),
        (SEEDS_KEY, "{}"),
        (SEEDS_KEY, r#"[{"name":"a","type":"new-type","hash":"x"}]"#),
        (SUPERUSER_USER_KEY, "pg_x"),
        (SUPERUSER_DATABASE_KEY, "template0"),
        (SSL_HOSTNAME_KEY, "a..b"),
    ];
    for (key, text) in broken {
        let error = read_image(&image_labels(&[(key.clone(), text)])).unwrap_err();
        let expected =
            matches!(&error, ReadError::Malformed { key: named, value, .. } if *named == key && value == text);
        assert!(expected, "{key} {text}: {error:?}");
    }
    for (key, text) in
        [(OWNER_KEY, "{}"), (EXPIRES_KEY, "soon"), (EXPIRES_KEY, "18446744073709551615"), (SESSION_KEY, "-")]
    {
        let error = read_container(&container_labels(&[(SESSION_KEY, "s"), (key.clone(), text)])).unwrap_err();
        assert!(matches!(&error, ReadError::Malformed { key: named, .. } if *named == key), "{key} {text}: {error:?}");
    }
}

#[test]
fn the_error_names_a_label_that_contradicts_another_one() {
    let twice = format!("[{0},{0}]", seeds_json().trim_matches(['[', ']']));
    let layer = format!("pg-ephemeral/main:{HASH}");
    let certificate = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
    for (key, text) in [(SEEDS_KEY, twice.as_str()), (IMAGE_KEY, &layer), (SSL_CA_CERT_PEM_KEY, certificate)] {
        let error = read_image(&image_labels(&[(key.clone(), text)])).unwrap_err();
        assert!(matches!(&error, ReadError::Inconsistent { key: named, .. } if *named == key), "{key}: {error:?}");
    }
    let error = read_container(&container_labels(&[(EXPIRES_KEY, "1000")])).unwrap_err();
    assert!(matches!(&error, ReadError::Inconsistent { key, .. } if *key == EXPIRES_KEY), "{error:?}");
}

#[test]
fn the_labels_of_a_single_server_are_refused_on_an_image() {
    let owner = serde_json::to_string(&Owner::current()).unwrap();
    for (key, text) in [(SESSION_KEY, "s"), (OWNER_KEY, owner.as_str()), (EXPIRES_KEY, "1"), (NONCE_KEY, "n")] {
        let error = read_image(&image_labels(&[(key.clone(), text)])).unwrap_err();
        assert!(matches!(&error, ReadError::Misplaced { key: named } if *named == key), "{key}: {error:?}");
    }
}

#[test]
fn the_labels_of_a_newer_version_are_refused() {
    let error = read_image(&image_labels(&[(VERSION_KEY, "99.0.0"), (SEEDS_KEY, "?")])).unwrap_err();
    assert!(matches!(&error, ReadError::NewerVersion { key, .. } if *key == VERSION_KEY), "{error:?}");
    assert_eq!(error.hint().unwrap(), "use pg-ephemeral 99.0.0 or later");
    assert!(read_image(&image_labels(&[(VERSION_KEY, "0.0.9-rc.1+build")])).is_ok());
}
