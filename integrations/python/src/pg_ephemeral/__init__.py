"""Throw-away, seeded PostgreSQL servers for tests and scripts.

>>> import pg_ephemeral
>>> with pg_ephemeral.server() as server:                       # doctest: +SKIP
...     subprocess.run(["psql", "-c", "select 1"], env=server.environment(os.environ))
"""

from ._server import Database, Error, Server, connection, server

__all__ = ["Database", "Error", "Server", "connection", "server"]
