//! What of the caller's environment makes sense in a container: the `PG*` variables, with the files and sockets that
//! they name made visible at the same paths. Pure but for looking which of them are there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use ociman::{Access, Mount, Secret, Variable};

/// Variables of libpq that name a file or a folder.
const FILES: [&str; 8] = [
    "PGPASSFILE",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLROOTCERT",
    "PGSSLCRL",
    "PGSSLCRLDIR",
];
/// The port of a socket when none is said.
const DEFAULT_PORT: &str = "5432";

/// The caller's `PG*` variables, for a program in a container.
///
/// ```
/// use pg_ephemeral_core::tool::CallersEnvironment;
///
/// let caller = [("PGHOST", "localhost"), ("PGPASSWORD", "hunter2"), ("EDITOR", "vi")];
/// let caller = caller.map(|(name, value)| (name.into(), value.into()));
/// let environment = CallersEnvironment::of(caller, "/home/me/shop".as_ref(), Some("me"))?;
/// let names: Vec<_> = environment.variables.iter().map(|variable| variable.name.as_str()).collect();
/// assert_eq!(names, ["PGHOST", "PGPASSWORD", "PGUSER"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallersEnvironment {
    /// The variables, all of them secrets: what names a server is nobody else's business.
    pub variables: Vec<Variable>,
    /// Files and sockets outside of the working folder, at their own paths and read-only.
    pub mounts: Vec<Mount>,
}

/// A variable of the caller's can't be passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of {name} is not UTF-8")]
pub struct NotText {
    /// The variable.
    pub name: String,
}

impl CallersEnvironment {
    /// What a program that works in `folder` is to have of these variables. As without a container, the name of the user
    /// at a server is that of the caller when nothing else says one; inside, nobody has that name.
    ///
    /// # Errors
    /// [`NotText`].
    pub fn of(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        folder: &Path,
        user: Option<&str>,
    ) -> Result<Self, NotText> {
        let mut texts = BTreeMap::new();
        for (name, value) in variables {
            let Some(name) = name.into_string().ok().filter(|name| is_passed_on(name)) else { continue };
            let value = value.into_string().map_err(|_| NotText { name: name.clone() })?;
            texts.insert(name, value);
        }
        if let Some(user) = user {
            texts.entry("PGUSER".to_owned()).or_insert_with(|| user.to_owned());
        }
        let files = FILES.iter().filter_map(|name| texts.get(*name)).map(|value| normal(&folder.join(value)));
        let mut paths: Vec<PathBuf> = files.chain(sockets(&texts)).collect();
        paths.retain(|path| !path.starts_with(folder) && path.exists());
        paths.sort();
        paths.dedup();
        let mount = |path: PathBuf| Mount::Bind { source: path.clone(), target: path, access: Access::ReadOnly };
        Ok(Self {
            variables: texts.into_iter().map(|(name, value)| Variable::secret(name, Secret::new(value))).collect(),
            mounts: paths.into_iter().map(mount).collect(),
        })
    }
}

/// Where the image has its data and translations, the image knows itself.
fn is_passed_on(name: &str) -> bool {
    name.starts_with("PG") && !name.starts_with("PG_EPHEMERAL_") && name != "PGLOCALEDIR"
}

/// The sockets of the folders that `PGHOST` names. It may be a list, and then `PGPORT` is one too, or holds for all.
fn sockets(texts: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let list = |name: &str| texts.get(name).map(String::as_str).unwrap_or_default().split(',');
    let ports: Vec<&str> = list("PGPORT").collect();
    let port = |position: usize| match ports.as_slice() {
        [only] => only,
        several => several.get(position).copied().unwrap_or_default(),
    };
    let named = |(position, host): (usize, &str)| {
        let port = Some(port(position)).filter(|port| !port.is_empty()).unwrap_or(DEFAULT_PORT);
        host.starts_with('/').then(|| Path::new(host).join(format!(".s.PGSQL.{port}")))
    };
    list("PGHOST").enumerate().filter_map(named).collect()
}

/// Without `.` and `..`, as the path is written.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn of(variables: &[(&str, &str)], folder: &Path) -> CallersEnvironment {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        CallersEnvironment::of(variables, folder, Some("me")).unwrap()
    }

    fn mounted(environment: &CallersEnvironment) -> Vec<&Path> {
        let source = |mount| match mount {
            &Mount::Bind { ref source, ref target, access: Access::ReadOnly } if source == target => source.as_path(),
            other => panic!("{other:?}"),
        };
        environment.mounts.iter().map(source).collect()
    }

    #[test]
    fn every_variable_of_libpq_is_passed_on_as_a_secret_and_nothing_else() {
        let caller =
            [("PGHOST", "db"), ("PGPASSWORD", "p"), ("PG_EPHEMERAL_BIN_DIR", "/x"), ("PGLOCALEDIR", "/y"), ("A", "b")];
        let environment = of(&caller, Path::new("/work"));
        let secret = |name: &str, value: &str| Variable::secret(name, Secret::new(value));
        assert_eq!(environment.variables, [secret("PGHOST", "db"), secret("PGPASSWORD", "p"), secret("PGUSER", "me")]);
        assert!(environment.mounts.is_empty());
    }

    #[test]
    fn the_name_at_the_server_is_the_callers_unless_one_is_said() {
        let user = |caller: &[(&str, &str)]| {
            let variables = of(caller, Path::new("/work")).variables;
            variables.into_iter().find(|one| one.name == "PGUSER").map(|one| one.expose().to_owned())
        };
        assert_eq!(user(&[]).as_deref(), Some("me"));
        assert_eq!(user(&[("PGUSER", "app")]).as_deref(), Some("app"));
    }

    #[test]
    fn files_that_are_named_are_mounted_unless_they_are_in_the_folder_or_not_there() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("work");
        fs::create_dir_all(folder.join("certs")).unwrap();
        for name in ["pass", "services", "work/certs/root.crt", "key"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let pass = root.path().join("pass");
        let caller = [
            ("PGPASSFILE", pass.to_str().unwrap()),
            ("PGSERVICEFILE", "../services"),
            ("PGSSLROOTCERT", "certs/root.crt"),
            ("PGSSLKEY", "./certs/../../key"),
            ("PGSSLCERT", "/no/such"),
        ];
        let environment = of(&caller, &folder);
        assert_eq!(mounted(&environment), ["key", "pass", "services"].map(|name| root.path().join(name)));
    }

    #[test]
    fn the_sockets_that_are_named_are_mounted_with_their_ports() {
        let root = tempfile::tempdir().unwrap();
        let socket = |port: u16| root.path().join(format!(".s.PGSQL.{port}"));
        for port in [5432, 5433, 5434] {
            fs::write(socket(port), "").unwrap();
        }
        let here = root.path().to_str().unwrap();
        let sockets = |host: &str, port: &str| {
            let environment = of(&[("PGHOST", host), ("PGPORT", port)], Path::new("/work"));
            mounted(&environment).into_iter().map(Path::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(sockets(here, ""), [socket(5432)]);
        assert_eq!(sockets(here, "5434"), [socket(5434)]);
        assert_eq!(sockets(&format!("db,{here}"), "1,5433"), [socket(5433)]);
        assert_eq!(sockets(&format!("{here},{here}"), ",5433"), [socket(5432), socket(5433)]);
        assert!(sockets("localhost", "5432").is_empty());
        assert!(sockets(here, "1").is_empty());
    }

    #[test]
    fn a_value_that_is_no_text_is_named() {
        let bytes = [(OsString::from("PGHOST"), OsString::from_vec(vec![0xff]))];
        let error = CallersEnvironment::of(bytes, Path::new("/work"), None).unwrap_err();
        assert_eq!(error.to_string(), "the value of PGHOST is not UTF-8");
    }
}
