//! The domain of a reference: the host name or address of the registry, and its port. The domain is at the very start
//! of a reference, so offsets in the domain are also offsets in the reference.

use std::net::{IpAddr, Ipv6Addr};

use super::{PathComponent, ReferenceError};

/// Returns `true` if the first component of a name is a registry and not part of the path.
pub(super) fn is_meant(component: &str) -> bool {
    let looks_like_one = component == "localhost"
        || component.contains(['.', ':', '['])
        || component.contains(|character: char| character.is_ascii_uppercase());
    looks_like_one && (check(component).is_ok() || PathComponent::check(component).is_err())
}

/// Returns `true` if a valid domain names this machine: `localhost` or a loopback address. Looks up no names.
pub(super) fn is_on_loopback(domain: &str) -> bool {
    let host = match domain.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => domain.split(':').next().unwrap_or(domain),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Checks `host[:port]`.
pub(super) fn check(domain: &str) -> Result<(), ReferenceError> {
    let host_end = match domain.strip_prefix('[') {
        Some(address) => check_address(address)?,
        None => check_host(domain)?,
    };
    match domain[host_end..].strip_prefix(':') {
        Some(port) if is_port(port) => Ok(()),
        Some(_) => Err(ReferenceError::Port { offset: host_end + 1 }),
        None if host_end == domain.len() => Ok(()),
        None => Err(ReferenceError::Port { offset: host_end }),
    }
}

/// Checks the address that follows a `[`, and returns the position after its `]` in the domain.
fn check_address(bracketed: &str) -> Result<usize, ReferenceError> {
    let (address, _) = bracketed.split_once(']').ok_or(ReferenceError::Ipv6Address)?;
    // The grammar deliberately excludes an embedded IPv4 address (`::ffff:1.2.3.4`).
    let whole = !address.contains('.') && address.parse::<Ipv6Addr>().is_ok();
    if whole { Ok("[]".len() + address.len()) } else { Err(ReferenceError::Ipv6Address) }
}

/// Checks the host name and returns the position of its end.
fn check_host(domain: &str) -> Result<usize, ReferenceError> {
    let host = domain.split(':').next().unwrap_or(domain);
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-');
    if let Some((offset, character)) = host.char_indices().find(|(_, character)| !is_allowed(*character)) {
        return Err(ReferenceError::HostCharacter { character, offset });
    }
    let mut offset = 0;
    for part in host.split('.') {
        if part.is_empty() || part.starts_with('-') || part.ends_with('-') {
            return Err(ReferenceError::HostPart { offset });
        }
        offset += part.len() + 1;
    }
    Ok(host.len())
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_recognised_by_name_and_by_address() {
        for domain in ["localhost", "LocalHost:5000", "127.0.0.1", "127.8.9.1:5000", "[::1]", "[::1]:5000"] {
            assert!(is_on_loopback(domain), "{domain}");
        }
    }

    #[test]
    fn a_domain_that_only_looks_like_this_machine_is_not_on_loopback() {
        for domain in
            ["ghcr.io", "localhost.example.com", "localhost-1:5000", "128.0.0.1", "127.0.0.1.example.com", "[::2]"]
        {
            assert!(!is_on_loopback(domain), "{domain}");
        }
    }
}
