"""Fixtures for pytest: a server for the whole run, and a database and a connection for each test.

Override ``pg_ephemeral_options`` in a ``conftest.py`` to pass options to :func:`pg_ephemeral.server`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from . import Database, Server, server

if TYPE_CHECKING:
    import psycopg


@pytest.fixture(scope="session")
def pg_ephemeral_options() -> dict[str, Any]:
    """The options of the server. Override this fixture to change them."""
    return {}


@pytest.fixture(scope="session")
def pg_ephemeral_server(pg_ephemeral_options: dict[str, Any]) -> Iterator[Server]:
    """One server for all tests of this process. It starts with the first test that uses it."""
    with server(**pg_ephemeral_options) as started:
        yield started


@pytest.fixture
def pg_ephemeral_database(pg_ephemeral_server: Server) -> Iterator[Database]:
    """A private copy of the seeded database for the test."""
    with pg_ephemeral_server.fresh_database() as database:
        yield database


@pytest.fixture
def pg_ephemeral_connection(pg_ephemeral_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the test's own database. Uncommitted changes are rolled back after the test."""
    with pg_ephemeral_database.connection() as connection:
        yield connection
        connection.rollback()
