//! The settings for SSL. The module `tls` makes the certificates.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The `ssl_config` table. If it is present, servers use SSL with a certificate of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SslConfig {
    /// The name that the server's certificate is made for.
    pub hostname: SslHostname,
}

/// A DNS name or an IP address for which a certificate can be made.
///
/// ```
/// use pg_ephemeral_core::config::SslHostname;
///
/// assert!("localhost".parse::<SslHostname>().is_ok());
/// assert!("::1".parse::<SslHostname>().is_ok());
/// assert!("db_1".parse::<SslHostname>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SslHostname(String);

impl SslHostname {
    /// The maximum length of a DNS name, in bytes.
    pub const MAX_BYTES: usize = 253;
    /// The maximum length of a part of a DNS name between two dots, in bytes.
    pub const MAX_LABEL_BYTES: usize = 63;

    /// Returns the name or the address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the IP address. `None` if it is a DNS name.
    #[must_use]
    pub fn as_ip(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl FromStr for SslHostname {
    type Err = SslHostnameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(SslHostnameError::Empty);
        }
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        if text.len() > Self::MAX_BYTES {
            return Err(SslHostnameError::TooLong { length: text.len() });
        }
        let mut last = "";
        for label in text.split('.') {
            check_label(label)?;
            last = label;
        }
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SslHostnameError::NumericEnd);
        }
        Ok(Self(text.to_owned()))
    }
}

fn check_label(label: &str) -> Result<(), SslHostnameError> {
    if label.is_empty() {
        return Err(SslHostnameError::EmptyLabel);
    }
    let unfit = |character: &char| !character.is_ascii_alphanumeric() && *character != '-';
    if let Some(character) = label.chars().find(unfit) {
        return Err(SslHostnameError::Character { character });
    }
    if label.len() > SslHostname::MAX_LABEL_BYTES {
        return Err(SslHostnameError::LabelTooLong { length: label.len() });
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(SslHostnameError::OuterDash);
    }
    Ok(())
}

impl fmt::Display for SslHostname {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The reason why a text is neither a DNS name nor an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SslHostnameError {
    /// The text is empty.
    #[error("a host name can't be empty")]
    Empty,
    /// The text is longer than [`SslHostname::MAX_BYTES`].
    #[error("a host name has at most {} bytes, this one has {length}", SslHostname::MAX_BYTES)]
    TooLong {
        /// The length of the text, in bytes.
        length: usize,
    },
    /// The text starts or ends with a dot, or has two dots in a row.
    #[error("a host name has letters or digits on both sides of each dot")]
    EmptyLabel,
    /// A part between two dots is longer than [`SslHostname::MAX_LABEL_BYTES`].
    #[error("a part of a host name has at most {} bytes, this one has {length}", SslHostname::MAX_LABEL_BYTES)]
    LabelTooLong {
        /// The length of the part, in bytes.
        length: usize,
    },
    /// A part between two dots starts or ends with a dash.
    #[error("no part of a host name starts or ends with `-`")]
    OuterDash,
    /// The text has a character that is not allowed in a DNS name.
    #[error("a host name has letters, digits, `-` and `.`, not {character:?}")]
    Character {
        /// The character.
        character: char,
    },
    /// The last part is a number, as in an IPv4 address, but the text is not a valid address.
    #[error("a host name that ends in a number must be an IPv4 address")]
    NumericEnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_accepted() {
        for text in ["localhost", "db-1.example.com", "127.0.0.1", "::1", "xn--bcher-kva.de", "1a"] {
            assert_eq!(text.parse::<SslHostname>().unwrap().as_str(), text);
        }
        assert!("::1".parse::<SslHostname>().unwrap().as_ip().is_some());
        assert_eq!("localhost".parse::<SslHostname>().unwrap().as_ip(), None);
    }

    #[test]
    fn invalid_host_names_are_refused() {
        let long_label = "a".repeat(64);
        let long_name = "a.".repeat(127) + "a";
        for (text, error) in [
            ("", SslHostnameError::Empty),
            ("a..b", SslHostnameError::EmptyLabel),
            ("localhost.", SslHostnameError::EmptyLabel),
            ("-a", SslHostnameError::OuterDash),
            ("a-.b", SslHostnameError::OuterDash),
            ("*.example.com", SslHostnameError::Character { character: '*' }),
            ("bücher.de", SslHostnameError::Character { character: 'ü' }),
            ("[::1]", SslHostnameError::Character { character: '[' }),
            ("300.1.1.1", SslHostnameError::NumericEnd),
            (long_label.as_str(), SslHostnameError::LabelTooLong { length: 64 }),
            (long_name.as_str(), SslHostnameError::TooLong { length: 255 }),
        ] {
            assert_eq!(text.parse::<SslHostname>(), Err(error), "{text:?}");
        }
    }
}
