//! The parts of the caller's environment that are passed to a container: the `PG*` variables, and the files and sockets
//! that they name, which are mounted at the same paths. The only IO is checking which of these paths exist.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use ociman::{Access, Mount, Secret, Variable};

/// The environment variables of libpq that name a file or a folder.
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
/// The port of a socket if `PGPORT` has none.
const DEFAULT_PORT: &str = "5432";

/// The caller's `PG*` variables and the mounts that they need, for a program in a container.
///
/// ```
/// use pg_ephemeral_core::tool::CallerEnvironment;
///
/// let caller = [("PGHOST", "localhost"), ("PGPASSWORD", "hunter2"), ("EDITOR", "vi")];
/// let caller = caller.map(|(name, value)| (name.into(), value.into()));
/// let environment = CallerEnvironment::of(caller, "/home/me/shop".as_ref(), Some("me"))?;
/// let names: Vec<_> = environment.variables.iter().map(|variable| variable.name.as_str()).collect();
/// assert_eq!(names, ["PGHOST", "PGPASSWORD", "PGUSER"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerEnvironment {
    /// The variables. All of them are secrets, because they tell which server the caller uses and how to log in.
    pub variables: Vec<Variable>,
    /// Read-only mounts of the named files and sockets outside of the working folder, at their own paths.
    pub mounts: Vec<Mount>,
}

/// The error for a variable of the caller whose value is not UTF-8, and so can't be passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of {name} is not UTF-8")]
pub struct NotUtf8Error {
    /// The name of the variable.
    pub name: String,
}

impl CallerEnvironment {
    /// Selects from `variables` those that a program in a container with the working folder `folder` gets. If `PGUSER`
    /// is not set, it is set to `user`, the name of the caller: libpq uses the caller's name by default, but that user
    /// does not exist in the container.
    ///
    /// # Errors
    /// Returns an error if the value of one of these variables is not UTF-8.
    pub fn of(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        folder: &Path,
        user: Option<&str>,
    ) -> Result<Self, NotUtf8Error> {
        let mut texts = BTreeMap::new();
        for (name, value) in variables {
            let Some(name) = name.into_string().ok().filter(|name| is_passed_on(name)) else { continue };
            let value = value.into_string().map_err(|_| NotUtf8Error { name: name.clone() })?;
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

/// Returns `true` for the `PG*` variables that a container gets. `PGLOCALEDIR` is left out because it is a path inside
/// the image, and `PG_EPHEMERAL_*` because these variables are for this program only.
fn is_passed_on(name: &str) -> bool {
    name.starts_with("PG") && !name.starts_with("PG_EPHEMERAL_") && name != "PGLOCALEDIR"
}

/// Returns the sockets in the folders that `PGHOST` names. `PGHOST` may be a list separated by commas. `PGPORT` is then
/// a list too, or one port for all hosts.
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

/// Removes `.` and `..` from a path, without resolving symbolic links.
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

    fn of(variables: &[(&str, &str)], folder: &Path) -> CallerEnvironment {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        CallerEnvironment::of(variables, folder, Some("me")).unwrap()
    }

    fn mounted(environment: &CallerEnvironment) -> Vec<&Path> {
        let source = |mount| match mount {
            &Mount::Bind { ref source, ref target, access: Access::ReadOnly } if source == target => source.as_path(),
            other => panic!("{other:?}"),
        };
        environment.mounts.iter().map(source).collect()
    }

    #[test]
    fn only_variables_of_libpq_are_passed_on_and_as_secrets() {
        let caller =
            [("PGHOST", "db"), ("PGPASSWORD", "p"), ("PG_EPHEMERAL_BIN_DIR", "/x"), ("PGLOCALEDIR", "/y"), ("A", "b")];
        let environment = of(&caller, Path::new("/work"));
        let secret = |name: &str, value: &str| Variable::secret(name, Secret::new(value));
        assert_eq!(environment.variables, [secret("PGHOST", "db"), secret("PGPASSWORD", "p"), secret("PGUSER", "me")]);
        assert!(environment.mounts.is_empty());
    }

    #[test]
    fn the_user_defaults_to_the_name_of_the_caller() {
        let user = |caller: &[(&str, &str)]| {
            let variables = of(caller, Path::new("/work")).variables;
            variables.into_iter().find(|one| one.name == "PGUSER").map(|one| one.expose().to_owned())
        };
        assert_eq!(user(&[]).as_deref(), Some("me"));
        assert_eq!(user(&[("PGUSER", "app")]).as_deref(), Some("app"));
    }

    #[test]
    fn named_files_are_mounted_if_they_exist_outside_of_the_folder() {
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
    fn named_sockets_are_mounted() {
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
    fn a_value_that_is_not_utf8_is_an_error_with_the_name_of_the_variable() {
        let bytes = [(OsString::from("PGHOST"), OsString::from_vec(vec![0xff]))];
        let error = CallerEnvironment::of(bytes, Path::new("/work"), None).unwrap_err();
        assert_eq!(error.to_string(), "the value of PGHOST is not UTF-8");
    }
}
