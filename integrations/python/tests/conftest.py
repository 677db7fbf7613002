from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

CONFIG = """
[instances.main.seeds.books]
type = "sql-statement"
statement = "create table books (title text); insert into books values ('Emma'), ('Dune')"

[instances.broken.seeds.typo]
type = "sql-statement"
statement = "selec 1"
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "database.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="session")
def pg_ephemeral_options(folder: Path) -> dict[str, Any]:
    return {"folder": folder, "backend": "host"}
