"""Tests with the real binary, on the host backend."""

import concurrent.futures
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pg_ephemeral


def titles(connection: "psycopg.Connection[Any]") -> list[str]:
    return [title for (title,) in connection.execute("select title from books order by title")]


def test_a_server_is_seeded_and_gone_afterwards(pg_ephemeral_options: dict[str, Any]) -> None:
    with pg_ephemeral.server(**pg_ephemeral_options) as server:
        with server.connection() as connection:
            assert titles(connection) == ["Dune", "Emma"]
        url = server.url
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_the_environment_leads_other_programs_to_it(pg_ephemeral_server: pg_ephemeral.Server) -> None:
    base = {**os.environ, "PGSERVICE": "elsewhere", "PGHOST": "nowhere"}
    ran = subprocess.run(
        ["psql", "-XAtc", "select count(*) from books"],
        env=pg_ephemeral_server.environment(base),
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "2\n"


def test_options_reach_the_server(pg_ephemeral_options: dict[str, Any]) -> None:
    options = {**pg_ephemeral_options, "config_file": False, "parameters": {"work_mem": "7MB"}, "quiet": True}
    with pg_ephemeral.connection(**options) as connection:
        assert connection.execute("show work_mem").fetchone() == ("7MB",)
        assert connection.execute("select to_regclass('books')").fetchone() == (None,)


def test_over_tls_a_connection_checks_the_server(pg_ephemeral_options: dict[str, Any]) -> None:
    with pg_ephemeral.server(**pg_ephemeral_options, ssl_hostname="db.example.com") as server:
        assert (server.host, server.ssl_mode) == ("db.example.com", "verify-full")
        assert server.ssl_root_cert is not None and server.ssl_root_cert.is_file()
        with server.connection() as connection:
            query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            assert connection.execute(query).fetchone() == (True,)
        assert server.password not in repr(server)


def test_each_database_is_private_and_gone_afterwards(pg_ephemeral_options: dict[str, Any]) -> None:
    with pg_ephemeral.server(**pg_ephemeral_options) as server:
        with server.fresh_database() as first, server.fresh_database() as second:
            with first.connection() as connection:
                connection.execute("delete from books")
            with first.connection() as one, second.connection() as other:
                assert (titles(one), titles(other)) == ([], ["Dune", "Emma"])
            url = first.url
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(url)


def test_databases_can_be_made_by_many_threads(pg_ephemeral_server: pg_ephemeral.Server) -> None:
    def work(number: int) -> list[str]:
        with pg_ephemeral_server.fresh_database() as database, database.connection() as connection:
            connection.execute("insert into books values (%s)", [str(number)])
            return titles(connection)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [sorted([str(number), "Dune", "Emma"]) for number in range(16)]


def test_a_seeded_database_that_is_in_use_is_told_with_what_to_do(pg_ephemeral_options: dict[str, Any]) -> None:
    with pg_ephemeral.server(**pg_ephemeral_options) as server, server.connection():
        with pytest.raises(pg_ephemeral.Error, match="it has open connections"):
            with server.fresh_database():
                pass


def test_a_seed_that_fails_is_told_with_its_reason(pg_ephemeral_options: dict[str, Any]) -> None:
    with pytest.raises(pg_ephemeral.Error, match='syntax error at or near "selec"'):
        with pg_ephemeral.server(**pg_ephemeral_options, instance="broken"):
            pass


def test_wrong_options_are_told_by_the_status(pg_ephemeral_options: dict[str, Any]) -> None:
    with pytest.raises(pg_ephemeral.Error, match="ended with status 2"):
        with pg_ephemeral.server(**pg_ephemeral_options, instance="Not A Name"):
            pass


def test_a_program_that_is_not_there_is_told_with_what_to_do() -> None:
    with pytest.raises(pg_ephemeral.Error, match="PG_EPHEMERAL_PROGRAM") as raised:
        with pg_ephemeral.server(program="no-such-program"):
            pass
    assert raised.value.hint is not None


def test_a_server_goes_with_an_exception(pg_ephemeral_options: dict[str, Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        with pg_ephemeral.server(**pg_ephemeral_options) as server:
            url = server.url
            raise ZeroDivisionError
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_server_goes_with_a_process_that_is_killed(folder: Path) -> None:
    script = (
        "import pg_ephemeral, os, sys\n"
        "with pg_ephemeral.server(backend='host') as server:\n"
        "    print(server.url, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert killed.returncode == -9
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(killed.stdout.strip()).close()
        except psycopg.OperationalError:
            return
        assert time.monotonic() < deadline, "the server goes on"
        time.sleep(0.05)


def test_the_plugin_gives_each_test_what_the_last_one_did_not_change(
    pytester: pytest.Pytester, folder: Path
) -> None:
    pytester.makeconftest(
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def pg_ephemeral_options():\n"
        f"    return dict(folder={str(folder)!r}, backend='host')\n"
    )
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_books(pg_ephemeral_connection, n):\n"
        "    c = pg_ephemeral_connection\n"
        "    assert c.execute('select count(*) from books').fetchone() == (2,)\n"
        "    c.execute('delete from books')\n"
        "    c.commit()\n"
    )
    # pytest runs in a process of its own, so that it finds the plugin by its entry point.
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
