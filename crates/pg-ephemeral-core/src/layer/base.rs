//! The key of the base layer, which is the initialised cluster before any seed.

use ociman::ImageInfo;

use super::parameters::shapes_data;
use crate::model::{ClusterLocale, DatabaseName, KeyHasher, Parameters, SeedHash, SslHostname, Superuser};

/// Identifies a base image independent of its name and the engine that stores it, by the digests of its file system
/// layers and its platform. The image's ID does not serve, because engines assign different IDs to the same image.
///
/// Must be taken from a base image, not from the image of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct BaseIdentity {
    /// Digests of the image's file system layers, lowest first.
    pub diff_ids: Vec<String>,
    /// Operating system, such as `linux`.
    pub os: String,
    /// Processor architecture, such as `amd64`.
    pub architecture: String,
}

impl From<&ImageInfo> for BaseIdentity {
    fn from(image: &ImageInfo) -> Self {
        Self { diff_ids: image.diff_ids.clone(), os: image.os.clone(), architecture: image.architecture.clone() }
    }
}

/// Everything that affects an initialised cluster.
#[derive(Debug, Clone, Copy)]
pub struct BaseInputs<'a> {
    /// The base image.
    pub identity: &'a BaseIdentity,
    /// The role that `initdb` creates.
    pub superuser: &'a Superuser,
    /// The database that exists from the start.
    pub database: &'a DatabaseName,
    /// How text is sorted and stored: the locale that the cluster gets, which may differ from the one that was asked
    /// for.
    pub locale: &'a ClusterLocale,
    /// Server parameters. The key leaves out parameters that are known not to affect stored data, such as `work_mem`
    /// and `log_statement`.
    pub parameters: &'a Parameters,
    /// The name that the server's certificate is made for.
    pub ssl_hostname: Option<&'a SslHostname>,
}

/// Returns the key of the base layer.
///
/// ```
/// use pg_ephemeral_core::config::{DatabaseName, Superuser};
/// use pg_ephemeral_core::layer::{BaseIdentity, BaseInputs, base_hash};
/// use pg_ephemeral_core::locale::ClusterLocale;
/// use pg_ephemeral_core::parameter::Parameters;
///
/// let identity = BaseIdentity {
///     diff_ids: vec!["sha256:aa".to_owned()],
///     os: "linux".to_owned(),
///     architecture: "amd64".to_owned(),
/// };
/// let plain = BaseInputs {
///     identity: &identity,
///     superuser: &Superuser::default(),
///     database: &DatabaseName::default(),
///     locale: &ClusterLocale::default(),
///     parameters: &Parameters::default(),
///     ssl_hostname: None,
/// };
/// let more_memory = ["work_mem=64MB".parse()?].into_iter().collect();
/// let another_zone = ["timezone=Asia/Tokyo".parse()?].into_iter().collect();
///
/// assert_eq!(base_hash(&plain), base_hash(&BaseInputs { parameters: &more_memory, ..plain }));
/// assert_ne!(base_hash(&plain), base_hash(&BaseInputs { parameters: &another_zone, ..plain }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn base_hash(inputs: &BaseInputs<'_>) -> SeedHash {
    let mut key = KeyHasher::new("base layer");
    key.texts("diff ids", inputs.identity.diff_ids.iter().map(String::as_str));
    key.text("os", &inputs.identity.os);
    key.text("architecture", &inputs.identity.architecture);
    key.text("superuser", inputs.superuser.as_str());
    key.text("database", inputs.database.as_str());
    key.optional_text("locale", inputs.locale.locale.as_deref());
    key.text("encoding", inputs.locale.encoding.as_str());
    key.text("locale provider", inputs.locale.provider.as_str());
    key.optional_text("provider locale", inputs.locale.provider_locale.as_deref());
    key.optional_text("ssl hostname", inputs.ssl_hostname.map(SslHostname::as_str));
    let parameters = shaping(inputs.parameters);
    key.texts("parameter names", parameters.iter().map(|(name, _)| name.as_str()));
    key.texts("parameter values", parameters.iter().map(|(_, value)| *value));
    key.finish_layer()
}

/// Returns the parameters that are part of the key, with their names in lower case.
fn shaping(parameters: &Parameters) -> Vec<(String, &str)> {
    let named = parameters.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()));
    named.filter(|(name, _)| shapes_data(name)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::LocaleProvider;

    fn identity(diff_ids: &[&str], os: &str, architecture: &str) -> BaseIdentity {
        let diff_ids = diff_ids.iter().map(|&id| id.to_owned()).collect();
        BaseIdentity { diff_ids, os: os.to_owned(), architecture: architecture.to_owned() }
    }

    fn parameters(assignments: &[&str]) -> Parameters {
        assignments.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn every_input_changes_the_key() {
        let identities = [
            identity(&["a", "b"], "linux", "amd64"),
            identity(&["ab"], "linux", "amd64"),
            identity(&["b", "a"], "linux", "amd64"),
            identity(&["a", "b"], "linux", "arm64"),
            identity(&["a", "b"], "linuxamd64", ""),
        ];
        let hostname: SslHostname = "localhost".parse().unwrap();
        let parameter_sets = [
            parameters(&[]),
            parameters(&["timezone=UTC"]),
            parameters(&["timezone="]),
            parameters(&["datestyle=UTC"]),
        ];
        let mut locales = vec![ClusterLocale::default(); 5];
        locales[1].locale = Some("C.utf8".to_owned());
        locales[2].encoding = "LATIN1".parse().unwrap();
        locales[3].provider = LocaleProvider::Icu;
        locales[4].provider_locale = Some("en-US".to_owned());
        let names = [("postgres", "postgres"), ("postgres", "shop"), ("shop", "postgres")];

        let mut keys = BTreeSet::new();
        let mut count = 0;
        for identity in &identities {
            for parameters in &parameter_sets {
                for (superuser, database) in names {
                    for ssl_hostname in [None, Some(&hostname)] {
                        let superuser = &superuser.parse().unwrap();
                        let database = &database.parse().unwrap();
                        for locale in &locales {
                            let inputs = BaseInputs { identity, superuser, database, locale, parameters, ssl_hostname };
                            keys.insert(base_hash(&inputs));
                            count += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn the_case_of_a_parameter_s_name_does_not_change_the_key() {
        let identity = identity(&["a"], "linux", "amd64");
        let hash = |assignment: &str| {
            base_hash(&BaseInputs {
                identity: &identity,
                superuser: &Superuser::default(),
                database: &DatabaseName::default(),
                locale: &ClusterLocale::default(),
                parameters: &parameters(&[assignment]),
                ssl_hostname: None,
            })
        };
        assert_eq!(hash("TimeZone=UTC"), hash("timezone=UTC"));
        assert_eq!(hash("WORK_MEM=1MB"), hash("work_mem=2MB"));
    }

    #[test]
    fn the_key_of_the_current_format_does_not_change() {
        let key = base_hash(&BaseInputs {
            identity: &identity(&["sha256:aa"], "linux", "amd64"),
            superuser: &Superuser::default(),
            database: &DatabaseName::default(),
            locale: &ClusterLocale::default(),
            parameters: &Parameters::default(),
            ssl_hostname: None,
        });
        insta::assert_snapshot!(key, @"87d6ce25cefcf48db96e1c0d459e0ce3def006153efc70cdce5185c424e95af6");
    }
}
