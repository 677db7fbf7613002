//! What the configuration says about SSL. Making certificates is the business of `tls`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The `ssl_config` table: when present, servers speak SSL with a certificate of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SslConfig {
    /// The name the server's certificate is made for.
    pub hostname: SslHostname,
}

/// A DNS name or an IP address that can stand in a certificate.
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
    /// The longest DNS name, in bytes.
    pub const MAX_BYTES: usize = 253;
    /// The longest part of a DNS name between two dots, in bytes.
    pub const MAX_LABEL_BYTES: usize = 63;

    /// The name or address as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, when it is one and not a name.
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

/// Why a text is neither a DNS name nor an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SslHostnameError {
    /// It has no character at all.
    #[error("a host name can't be empty")]
    Empty,
    /// It is longer than a DNS name may be.
    #[error("a host name has at most {} bytes, this one has {length}", SslHostname::MAX_BYTES)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// There is nothing before, after or between its dots.
    #[error("a host name has letters or digits on both sides of each dot")]
    EmptyLabel,
    /// One of its parts is too long.
    #[error("a part of a host name has at most {} bytes, this one has {length}", SslHostname::MAX_LABEL_BYTES)]
    LabelTooLong {
        /// The part's length in bytes.
        length: usize,
    },
    /// One of its parts starts or ends with a dash.
    #[error("no part of a host name starts or ends with `-`")]
    OuterDash,
    /// It has a character no DNS name has.
    #[error("a host name has letters, digits, `-` and `.`, not {character:?}")]
    Character {
        /// The character.
        character: char,
    },
    /// It looks like an IPv4 address and is none.
    #[error("a host name that ends in a number is an IPv4 address, and this is none")]
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
    fn what_no_certificate_can_hold_is_refused() {
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
