//! Users and groups of this machine, by name or number, from the local files alone.

use std::path::Path;

use rustix::process::{getegid, geteuid};

use crate::command::UserIds;
use crate::error::HostError;

/// Returns the user with this name (or number) on this machine and its own group, from `/etc/passwd`, or `None` if
/// there is no such entry.
///
/// ```
/// assert_eq!(ociman::host::find_user("root").map(|user| user.uid), Some(0));
/// assert_eq!(ociman::host::find_user("no such user"), None);
/// ```
pub fn find_user(name: &str) -> Option<UserIds> {
    let number = name.parse::<u32>().ok();
    entries("/etc/passwd").iter().find_map(|fields| {
        let uid = fields.get(2)?.parse().ok()?;
        let gid = fields.get(3)?.parse().ok()?;
        (fields.first().is_some_and(|field| field == name) || number == Some(uid)).then_some(UserIds { uid, gid })
    })
}

/// Returns the name of the user with this number, from `/etc/passwd`, or `None` if there is no such entry.
///
/// ```
/// assert_eq!(ociman::host::name_of_user(0).as_deref(), Some("root"));
/// ```
pub fn name_of_user(uid: u32) -> Option<String> {
    let number = uid.to_string();
    let entry = entries("/etc/passwd").into_iter().find(|fields| fields.get(2) == Some(&number))?;
    entry.into_iter().next()
}

/// Returns `true` if the calling process may start processes as any user.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Returns the user and group of the calling process.
pub(crate) fn caller() -> UserIds {
    UserIds { uid: geteuid().as_raw(), gid: getegid().as_raw() }
}

/// Parses `name`, `uid`, `name:group` or `uid:gid`, as engines do.
pub(crate) fn parse(text: &str) -> Result<UserIds, HostError> {
    let unknown = || HostError::UnknownUser { user: text.to_owned() };
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let known = find_user(user);
    let uid = match (known, user.parse()) {
        (Some(ids), _) => ids.uid,
        (None, Ok(uid)) => uid,
        (None, Err(_)) => return Err(unknown()),
    };
    let gid = match group {
        Some(group) => find_group(group).ok_or_else(unknown)?,
        // As with engines, a number without an entry is in root's group.
        None => known.map_or(0, |ids| ids.gid),
    };
    Ok(UserIds { uid, gid })
}

/// Returns the user to change to, or `None` if that is the caller itself.
pub(crate) fn change_to(wanted: UserIds) -> Result<Option<UserIds>, HostError> {
    if is_root() {
        return Ok((wanted.uid != 0).then_some(wanted));
    }
    if wanted.uid == caller().uid { Ok(None) } else { Err(HostError::ChangeUser { uid: wanted.uid }) }
}

fn find_group(name: &str) -> Option<u32> {
    let known = entries("/etc/group").iter().find_map(|fields| {
        let gid = fields.get(2)?.parse().ok()?;
        fields.first().is_some_and(|field| field == name).then_some(gid)
    });
    known.or_else(|| name.parse().ok())
}

fn entries(file: impl AsRef<Path>) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_by_number_by_name_and_with_a_group() {
        assert_eq!(parse("root").unwrap(), UserIds { uid: 0, gid: 0 });
        assert_eq!(parse("0:7").unwrap(), UserIds { uid: 0, gid: 7 });
        assert_eq!(parse("4242424").unwrap(), UserIds { uid: 4_242_424, gid: 0 });
    }

    #[test]
    fn an_unknown_user_is_an_error_that_names_it() {
        let error = parse("no-such-user").unwrap_err();
        assert_eq!(error.to_string(), "failed to find user \"no-such-user\": not on this machine");
    }
}
