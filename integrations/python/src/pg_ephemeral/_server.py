"""A server as a context manager. Uses the protocol of ``pg-ephemeral integration-server``."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_PROTOCOL_VERSION = 1
_PROGRAM_VARIABLE = "PG_EPHEMERAL_PROGRAM"


class Error(Exception):
    """A server or a database could not be provided.

    ``hint`` tells how to solve the problem, or is ``None``.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\nhint: {hint}")
        self.hint = hint


@dataclass(frozen=True)
class Database:
    """The connection parameters of a database."""

    host: str
    """The server's address or, with TLS, the host name in its certificate."""
    host_address: str | None
    """The address to connect to if ``host`` is a name that does not resolve to it."""
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    ssl_mode: str
    """``disable`` or ``verify-full``."""
    ssl_root_cert: Path | None
    """The path of the CA certificate for ``verify-full``. The file is removed with the server."""
    url: str = field(repr=False)
    """All connection parameters as a URI."""

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Returns environment variables for programs that connect to this database, added to ``base``.

        The ``PG*`` variables of ``base`` are left out, because they could make libpq connect to another server.
        """
        variables = {name: value for name, value in (base or {}).items() if not name.startswith("PG")}
        variables |= {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            "PGSSLMODE": self.ssl_mode,
            "DATABASE_URL": self.url,
        }
        if self.host_address is not None:
            variables["PGHOSTADDR"] = self.host_address
        if self.ssl_root_cert is not None:
            variables["PGSSLROOTCERT"] = str(self.ssl_root_cert)
        return variables

    @contextlib.contextmanager
    def connection(self, **keywords: Any) -> Iterator[psycopg.Connection[Any]]:
        """A psycopg connection that is closed at the end. ``keywords`` are passed on to ``psycopg.connect``.

        As usual in psycopg, the transaction is committed at the end, or rolled back after an exception.
        """
        import psycopg

        with psycopg.connect(self.url, **keywords) as connection:
            yield connection


@dataclass(frozen=True)
class Server(Database):
    """A running server, with the connection parameters of its seeded database."""

    _child: _Child = field(repr=False, compare=False)

    @contextlib.contextmanager
    def fresh_database(self) -> Iterator[Database]:
        """A private copy of the seeded database, dropped at the end even if clients are connected.

        No client may be connected to the seeded database while the first copy is created. Thread-safe.

        Raises :class:`Error` if the copy can't be created or dropped.
        """
        database = Database(**_fields(self._child.ask({"command": "create-database"})))
        try:
            yield database
        finally:
            self._child.ask({"command": "drop-database", "database": database.database})


@contextlib.contextmanager
def server(
    *,
    program: str | os.PathLike[str] | None = None,
    instance: str | None = None,
    image: str | None = None,
    backend: str | None = None,
    config_file: str | os.PathLike[str] | bool | None = None,
    ssl_hostname: str | None = None,
    parameters: Mapping[str, str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Iterator[Server]:
    """A server that is removed at the end of the ``with`` block.

    ``program``: the binary (default: ``PG_EPHEMERAL_PROGRAM`` if set, otherwise ``pg-ephemeral`` on ``PATH``).
    ``config_file``: the configuration file, or ``False`` for none (default: ``database.toml`` in ``folder`` or its
    nearest parent).
    ``folder``: the working directory of the program (default: that of this process).
    ``quiet``: if true, print no messages on standard error while the server starts.

    Raises :class:`Error` if the server can't be started.
    """
    options = _options(instance, image, backend, config_file, ssl_hostname, parameters, quiet)
    name = os.fspath(program) if program is not None else os.environ.get(_PROGRAM_VARIABLE) or "pg-ephemeral"
    with _Child.start(name, options, folder) as child:
        yield child.server()


@contextlib.contextmanager
def connection(**options: Any) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection to a server that is started for it. ``options`` are those of :func:`server`."""
    with server(**options) as started, started.connection() as made:
        yield made


def _options(
    instance: str | None,
    image: str | None,
    backend: str | None,
    config_file: str | os.PathLike[str] | bool | None,
    ssl_hostname: str | None,
    parameters: Mapping[str, str] | None,
    quiet: bool,
) -> list[str]:
    valued = {"instance": instance, "image": image, "backend": backend, "ssl-hostname": ssl_hostname}
    options = [f"--{name}={value}" for name, value in valued.items() if value is not None]
    if config_file is False:
        options.append("--no-config-file")
    elif config_file is not None and config_file is not True:
        options.append(f"--config-file={os.fspath(config_file)}")
    options += [f"--parameter={name}={value}" for name, value in (parameters or {}).items()]
    return options + (["--quiet"] if quiet else [])


class _Child:
    """The process of the program and the two pipes to it."""

    def __init__(self, process: subprocess.Popen[bytes], result: IO[str], control: IO[str]) -> None:
        self._process = process
        self._result = result
        self._control = control
        self._lock = threading.Lock()

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, program: str, options: Sequence[str], folder: str | os.PathLike[str] | None
    ) -> Iterator[_Child]:
        result, childs_result = os.pipe()
        childs_control, control = os.pipe()
        with (
            open(result, encoding="utf-8") as reader,
            open(control, "w", encoding="utf-8") as writer,
        ):
            try:
                process = subprocess.Popen(
                    [
                        program,
                        *options,
                        "integration-server",
                        f"--result-fd={childs_result}",
                        f"--control-fd={childs_control}",
                    ],
                    stdin=subprocess.DEVNULL,
                    pass_fds=(childs_result, childs_control),
                    cwd=folder,
                )
            except FileNotFoundError as error:
                if folder is not None and error.filename == os.fspath(folder):
                    raise
                hint = f"install it and have it on PATH, or name it in {_PROGRAM_VARIABLE}"
                raise Error(f"start {program}: there is no such program", hint) from error
            finally:
                os.close(childs_result)
                os.close(childs_control)
            child = cls(process, reader, writer)
            try:
                yield child
            finally:
                child._stop()

    def server(self) -> Server:
        """Waits for the line with the connection parameters of the server."""
        line = self._result.readline()
        if not line:
            raise Error(f"the program ended with status {self._process.wait()} before there was a server")
        told = json.loads(line)
        if "error" in told:
            raise Error(told["error"], told.get("hint"))
        if told["protocol_version"] != _PROTOCOL_VERSION:
            raise Error(
                f"the program speaks version {told['protocol_version']} of the protocol, this package {_PROTOCOL_VERSION}",
                "install versions of both that belong together",
            )
        return Server(**_fields(told), _child=self)

    def ask(self, command: dict[str, str]) -> dict[str, Any]:
        """Sends a command and waits for its answer."""
        with self._lock:
            try:
                self._control.write(json.dumps(command) + "\n")
                self._control.flush()
            except BrokenPipeError:
                raise Error("the server has ended") from None
            line = self._result.readline()
        if not line:
            raise Error("the server has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Error(answer["error"], answer.get("hint"))
        return answer

    def _stop(self) -> None:
        # The program may have ended by itself.
        with contextlib.suppress(BrokenPipeError):
            self._control.close()
        self._process.wait()


def _fields(told: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of :class:`Database` from a line of the protocol."""
    endpoint = told["endpoint"]
    certificate = told["ssl_root_cert"]
    return {
        "host": endpoint["host"],
        "host_address": endpoint["host_address"],
        "port": endpoint["port"],
        "user": told["user"],
        "password": told["password"],
        "database": told["database"],
        "ssl_mode": told["ssl_mode"],
        "ssl_root_cert": None if certificate is None else Path(certificate),
        "url": told["url"],
    }
