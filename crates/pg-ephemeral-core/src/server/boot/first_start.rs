//! The first start of a base image, which makes the cluster: by the image's own start script on an engine, by `initdb`
//! on the host. What comes of it is committed as the base layer.

use std::time::Duration;

use ociman::{CommandError, Container, ContainerName, ExecSpec, RunSpec, Secret, Variable};

use super::launch::{OWNED_PREFIX, Role};
use super::{Boot, Running, SOCKET_IN_CONTAINER};
use crate::io::random::random_name;
use crate::model::Step;
use crate::postgres::connect;
use crate::postgres::host_image::Installation;
use crate::server::definition::Reach;
use crate::server::error::{LOG_LINES, StartError};
use crate::server::guard::Guard;
use crate::state::secret;

/// Where the data stands in a container: not where an image has a volume, since a commit leaves volumes out.
pub(super) const DATA: &str = "/var/lib/pg-ephemeral/data";
/// How many lines of a log are looked through for an error.
const LOG_LINES_READ: usize = 500;
/// How long the first start of an image may take at least, whatever the limit for a start.
const INITIALISE_LIMIT: Duration = Duration::from_secs(120);
/// What runs as the first start on the host: `$0` is `initdb`. It is told no password, since it prints it when it
/// fails: single-user mode sets what is stored for it, and needs neither password nor port. With `-j` a statement ends
/// at a semicolon before an empty line.
///
/// Servers of `initdb` that are killed leave segments of shared memory, on Linux files with names that say nothing of
/// whose they are, and before PostgreSQL 16 `initdb` can't be told to use another kind. So the signal of a removal makes
/// the script, whose session all of them are in, stop them, look up what they have, and remove it once they are dead.
/// A segment that is being made is only open yet, and one that is going is nothing of its server's any more when that was
/// stopped, so that it is looked for before that too.
/// A shell takes a signal up at once only while it waits for what runs in the background.
const INITIALISE_ON_HOST: &str = r#"
segments_of() {
    for number; do
        sed -n 's|.* \(/dev/shm/PostgreSQL\.[0-9]*\).*|\1|p' "/proc/$number/maps"
        ls -l "/proc/$number/fd" | sed -n 's|.* -> \(/dev/shm/PostgreSQL\.[0-9]*\).*|\1|p'
    done
}
leave() {
    trap '' QUIT
    set +e
    ours=
    segments=
    found=yes
    # One that was stopped starts no other; one that was not yet may have.
    while [ "$found" ]; do
        found=
        for process in /proc/[0-9]*; do
            number=${process#/proc/}
            case " $ours $$ " in *" $number "*) continue ;; esac
            read -r line <"$process/stat" || continue
            set -- ${line##*)}
            [ "${4-}" = "$$" ] || continue
            segments="$segments $(segments_of "$number")"
            kill -s STOP "$number" && ours="$ours $number" found=yes
        done
    done 2>/dev/null
    segments="$segments $(segments_of $ours)"
    kill -s KILL $ours
    rm -f $segments
    exit 131
}
trap leave QUIT
"$0" --pgdata="$PGDATA" --auth=trust --no-sync "$@" >/dev/null &
wait "$!"
printf '%s\n' 'local all all trust' 'host all all all scram-sha-256' \
    'local replication all trust' 'host replication all all scram-sha-256' >"$PGDATA/pg_hba.conf"
mkdir -m 700 "$OCIMAN_ROOT/run"
printf '%s;\n\n' "$SET_UP_SQL" | "$POSTGRES" --single -j -c fsync=off -c dynamic_shared_memory_type=mmap \
    -D "$PGDATA" postgres >/dev/null &
wait "$!"
"#;

/// The pipe through which a first start is told its password. Where containers are fakes, all of them share one folder.
fn password_pipe(container: &ContainerName) -> String {
    format!("/tmp/.{container}-password")
}

impl Boot<'_> {
    /// First start on an engine. The start script's server goes on to run, and has the base layer's password, unless it had
    /// to be stopped.
    pub(super) async fn initialise_on_engine(&self) -> Result<Option<Running>, StartError> {
        let password = self.layer_password(self.resolved.chain.base());
        // The start script's passing server answers on every socket, but not on a published port.
        let libraries = self.libraries_at(self.resolved.chain.base());
        let complete = |spec| self.scripted(spec);
        let launched = self.launch(&self.resolved.image, Reach::Published, Role::Builder, libraries, complete).await?;
        self.send_password(launched.guard.container(), &password).await?;
        let limit = self.definition.wait_available_timeout.max(INITIALISE_LIMIT);
        let client = self.wait(&launched, &password, limit).await?;
        let mut running = Running::new(launched, password, client);
        if self.commit_running(&mut running, self.resolved.chain.base(), 0).await? {
            return Ok(Some(running));
        }
        // Its start script would wait for the password once more.
        self.commit_stopped(&running, self.resolved.chain.base(), 0).await?;
        running.launched.guard.remove().await.map_err(StartError::Watch)?;
        Ok(None)
    }

    /// The image's start script reads the password from its environment, where no inspection shows it, since it comes
    /// there through a pipe.
    fn scripted(&self, spec: RunSpec) -> RunSpec {
        let pipe = password_pipe(&spec.name);
        let script = format!(
            "mkfifo -m 600 {pipe} && read -r POSTGRES_PASSWORD <{pipe} && rm {pipe} && \
             export POSTGRES_PASSWORD && exec docker-entrypoint.sh postgres \"$@\""
        );
        // The image trusts everybody who connects from inside its container, and some network modes of engines make any
        // user of this machine such a one. Small segments: less to commit with every layer.
        let own = ["--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--wal-segsize=1"];
        let mut arguments = own.map(str::to_owned).to_vec();
        arguments.extend(self.resolved.locale.initdb_arguments());
        let initdb_arguments = arguments.join(" ");
        let mut spec = spec.entrypoint(["sh", "-c", &script, "sh"]);
        spec.environment.extend([
            Variable::plain("PGDATA", DATA),
            Variable::plain("POSTGRES_USER", self.definition.superuser.as_str()),
            Variable::plain("POSTGRES_DB", self.definition.database.as_str()),
            Variable::plain("POSTGRES_INITDB_ARGS", &initdb_arguments),
            // An image may have another value, such as `trust`, in its environment.
            Variable::plain("POSTGRES_HOST_AUTH_METHOD", "scram-sha-256"),
        ]);
        spec
    }

    async fn send_password(&self, container: &Container, password: &Secret) -> Result<(), StartError> {
        let pipe = password_pipe(container.name());
        let script = format!("while [ ! -p {pipe} ]; do sleep 0.01; done; cat >{pipe}");
        let input = format!("{}\n", password.expose());
        self.exec_in_container(container, ExecSpec::new(["sh", "-c", &script]), &input).await
    }

    /// A layer made under another secret has another password; inside its container none is needed.
    pub(super) async fn set_password_in_container(
        &self,
        container: &Container,
        password: &Secret,
    ) -> Result<(), StartError> {
        let user = self.definition.superuser.as_str();
        let spec =
            ExecSpec::new(["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--host", SOCKET_IN_CONTAINER])
                .user("postgres")
                .variable(Variable::plain("PGUSER", user))
                .variable(Variable::plain("PGDATABASE", self.definition.database.as_str()))
                .variable(Variable::plain("PGOPTIONS", connect::SET_UP_OPTIONS));
        let sql = connect::set_password_sql(user, &secret::verifier(password));
        self.exec_in_container(container, spec, &format!("{};\n{sql}", connect::BE_QUIET)).await
    }

    async fn exec_in_container(&self, container: &Container, spec: ExecSpec, input: &str) -> Result<(), StartError> {
        let output = match container.exec(&spec, input.as_bytes()).await {
            Ok(output) if output.status.success() => return Ok(()),
            Err(CommandError::ContainerNotRunning { .. }) => return Err(self.death(container).await),
            Err(error) => return Err(StartError::Watch(error)),
            Ok(output) => output,
        };
        if let Ok(info) = container.inspect().await
            && info.exit_code.is_some()
        {
            return Err(self.death(container).await);
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(StartError::Password { message: format!("{}: {}", output.status, text.trim()) })
    }

    /// First start on the host: no server, only `initdb`, whose result becomes the base layer as it is.
    pub(super) async fn initialise_on_host(&self, installation: &Installation) -> Result<(), StartError> {
        let program = |name: &str| installation.bin.join(name).to_string_lossy().into_owned();
        let mut spec = RunSpec::new(self.container_name(OWNED_PREFIX)?, self.resolved.image.clone())
            .entrypoint(["sh", "-e", "-c", INITIALISE_ON_HOST, &program("initdb")])
            .arguments(["--username", self.definition.superuser.as_str()])
            .arguments(self.resolved.locale.initdb_arguments())
            .variable(Variable::plain("POSTGRES", program("postgres")))
            // The zone that `initdb` writes down: what a seed makes of a time must not depend on the caller's.
            .variable(Variable::plain("TZ", "Etc/UTC"))
            .variable(Variable::secret("SET_UP_SQL", self.set_up_sql()));
        if installation.major() >= 11 {
            // Small segments: less to copy for each new server.
            spec = spec.arguments(["--wal-segsize=1"]);
        }
        spec.labels = self.labels(&random_name().map_err(StartError::Thread)?);
        let guard = Guard::run(&self.definition.folders, &self.backend, spec, self.owner.clone(), None).await?;
        let status = guard.container().wait().await.map_err(StartError::Watch)?;
        if !status.success() {
            return Err(self.death(guard.container()).await);
        }
        self.definition.observer.begin(Step::Commit);
        let commit = self.commit_spec(self.resolved.chain.base(), 0)?;
        guard.commit(commit).await?;
        guard.remove().await.map_err(StartError::Watch)
    }

    /// What single-user mode runs to finish a new cluster.
    fn set_up_sql(&self) -> Secret {
        let verifier = secret::verifier(&self.layer_password(self.resolved.chain.base()));
        let superuser = self.definition.superuser.as_str();
        let mut statements = vec![format!("ALTER ROLE {} PASSWORD '{verifier}'", connect::quote_identifier(superuser))];
        let database = self.definition.database.as_str();
        if database != "postgres" {
            statements.push(format!("CREATE DATABASE {}", connect::quote_identifier(database)));
        }
        Secret::new(statements.join(";\n\n"))
    }

    /// The end of a server's log. An image's start script may have made PostgreSQL print the password.
    pub(super) async fn last_words(&self, container: &Container) -> String {
        let log = container.last_log_lines(LOG_LINES_READ).await.unwrap_or_default();
        last_words(&log).replace(self.layer_password(self.resolved.chain.base()).expose(), "[secret]")
    }
}

/// The last lines of a log, after the last one that tells of an error when none of them does: what follows an error, such
/// as a long statement, would hide it.
fn last_words(log: &str) -> String {
    const ERRORS: [&str; 4] = ["PANIC:  ", "FATAL:  ", "ERROR:  ", "initdb: error: "];
    let is_error = |line: &&&str| ERRORS.iter().any(|error| line.contains(error));
    let lines: Vec<&str> = log.lines().collect();
    let (before, last) = lines.split_at(lines.len().saturating_sub(LOG_LINES));
    let hidden = before.iter().rfind(is_error).filter(|_| !last.iter().any(|line| is_error(&line)));
    let hidden = hidden.into_iter().copied().flat_map(|line| [line, "…"]);
    hidden.chain(last.iter().copied()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_server_have_its_error_in_them() {
        let statement = "  a long statement\n".repeat(LOG_LINES);
        let log = format!("starting\nPANIC:  could not write: No space left on device\n{statement}");
        let told = last_words(&log);
        assert!(told.starts_with("PANIC:  could not write: No space left on device\n…\n  a long"), "{told}");
        assert_eq!(told.lines().count(), LOG_LINES + 2);
        assert_eq!(last_words("ERROR:  one\nFATAL:  two\n"), "ERROR:  one\nFATAL:  two");
        assert_eq!(last_words(&statement).lines().count(), LOG_LINES);
    }
}
