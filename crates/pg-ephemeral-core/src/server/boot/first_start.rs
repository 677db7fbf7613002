//! The first start of a base image, which creates the database cluster. On an engine, the image's own start script
//! creates it; on the host backend, `initdb` does. The result is committed as the base layer.

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

/// The data folder in a container. It is not in a volume of the image, because commits do not include volumes.
pub(super) const DATA: &str = "/var/lib/pg-ephemeral/data";
/// The number of lines at the end of a log that are searched for an error.
const LOG_LINES_READ: usize = 500;
/// The minimum time limit for the first start of an image, even if the limit for a start is lower.
const INITIALISE_LIMIT: Duration = Duration::from_secs(120);
/// The shell script of the first start on the host backend. `$0` is `initdb`. The password is not passed to `initdb`,
/// which prints its input when it fails. Instead, single-user mode sets the verifier of the password, and needs neither
/// a password nor a port. With `-j`, a statement ends at a semicolon followed by an empty line.
///
/// If the servers that `initdb` starts are killed, they leave shared memory segments. On Linux these are files whose
/// names do not show which process they belong to, and before PostgreSQL 16 `initdb` can't be configured to use another
/// kind of shared memory. So the script traps the signal of a removal. All processes of `initdb` are in the script's
/// session. The script suspends them, finds their segments, kills them, and then removes the segments. It searches
/// before and after it suspends a process: a segment that is being created is only visible as an open file, and a
/// segment that is being removed may no longer be visible once its server is suspended.
///
/// The programs run in the background because a shell handles a signal immediately only while it executes `wait`.
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

/// Returns the path of the pipe through which a first start receives its password. The path contains the name of the
/// container, because fake containers share one file system.
fn password_pipe(container: &ContainerName) -> String {
    format!("/tmp/.{container}-password")
}

impl Boot<'_> {
    /// Runs the first start on an engine, and commits the base layer. Returns the server, which has the password of the
    /// base layer, unless it had to be stopped for the commit.
    pub(super) async fn initialise_on_engine(&self) -> Result<Option<Running>, StartError> {
        let password = self.layer_password(self.resolved.chain.base());
        // The start script first runs a temporary server, which accepts connections on sockets but not over TCP. A
        // connection to a published port therefore reaches only the final server.
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
        // The server is not started again, because the start script would wait for the password again.
        self.commit_stopped(&running, self.resolved.chain.base(), 0).await?;
        running.launched.guard.remove().await.map_err(StartError::Watch)?;
        Ok(None)
    }

    /// Makes the container run the image's start script. The script reads the password from its environment. A shell
    /// reads it from a pipe and exports it, so that inspecting the container does not show it.
    fn scripted(&self, spec: RunSpec) -> RunSpec {
        let pipe = password_pipe(&spec.name);
        let script = format!(
            "mkfifo -m 600 {pipe} && read -r POSTGRES_PASSWORD <{pipe} && rm {pipe} && \
             export POSTGRES_PASSWORD && exec docker-entrypoint.sh postgres \"$@\""
        );
        // By default, the image trusts all connections from inside its container. With some network modes of engines,
        // connections of any user of this machine count as such. Small WAL segments make every layer smaller.
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
            // The environment of an image may contain another value, such as `trust`.
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

    /// Sets the superuser's password from inside the container, where no password is needed.
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
        self.exec_in_container(container, spec, &format!("{};\n{sql}", connect::DISABLE_LOGGING_SQL)).await
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

    /// Runs the first start on the host backend: `initdb` without a server. The result is committed as the base layer.
    pub(super) async fn initialise_on_host(&self, installation: &Installation) -> Result<(), StartError> {
        let program = |name: &str| installation.bin.join(name).to_string_lossy().into_owned();
        let mut spec = RunSpec::new(self.container_name(OWNED_PREFIX)?, self.resolved.image.clone())
            .entrypoint(["sh", "-e", "-c", INITIALISE_ON_HOST, &program("initdb")])
            .arguments(["--username", self.definition.superuser.as_str()])
            .arguments(self.resolved.locale.initdb_arguments())
            .variable(Variable::plain("POSTGRES", program("postgres")))
            // `initdb` writes the time zone to the configuration. It is fixed, so that the results of seeds do not
            // depend on the time zone of the caller.
            .variable(Variable::plain("TZ", "Etc/UTC"))
            .variable(Variable::secret("SET_UP_SQL", self.set_up_sql()));
        if installation.major() >= 11 {
            // With small WAL segments, there is less to copy for each new server.
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

    /// Returns the statements that single-user mode runs to complete a new cluster.
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

    /// Returns the end of a server's log. Replaces the password in it, because an image's start script may have made
    /// PostgreSQL log it.
    pub(super) async fn log_tail(&self, container: &Container) -> String {
        let log = container.last_log_lines(LOG_LINES_READ).await.unwrap_or_default();
        log_tail(&log).replace(self.layer_password(self.resolved.chain.base()).expose(), "[secret]")
    }
}

/// Returns the last lines of a log. If none of them is an error, the last error before them is added, because a long
/// statement after it would otherwise hide it.
fn log_tail(log: &str) -> String {
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
    fn the_end_of_a_log_includes_the_last_error() {
        let statement = "  a long statement\n".repeat(LOG_LINES);
        let log = format!("starting\nPANIC:  could not write: No space left on device\n{statement}");
        let told = log_tail(&log);
        assert!(told.starts_with("PANIC:  could not write: No space left on device\n…\n  a long"), "{told}");
        assert_eq!(told.lines().count(), LOG_LINES + 2);
        assert_eq!(log_tail("ERROR:  one\nFATAL:  two\n"), "ERROR:  one\nFATAL:  two");
        assert_eq!(log_tail(&statement).lines().count(), LOG_LINES);
    }
}
