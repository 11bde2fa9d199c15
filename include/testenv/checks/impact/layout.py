"""Where a repository under test keeps things, as its file `testenv.yaml` states it."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from testenv.checks.impact.trees import Tree
from testenv.core.errors import InvalidCatalog

FILE = "testenv.yaml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Catalogue(_Frozen):
    """A YAML file that maps pipelines' ids, below `key`, to what they are: `inputs` and `outputs` name datasets.

    `factory` is the DAG file that makes the DAG of each entry without a file of its own, from that entry alone. `entry`
    is the class (`package.module.Class`) whose attributes are the entry's fields, by which the factory is followed.
    """

    file: str
    key: str = "pipelines"
    factory: str = ""
    entry: str = ""


class Schemas(_Frozen):
    """Schema files of datasets: in `files`, `{name}` is what stands for `{name}` in `dataset`, and `*` anything."""

    files: str
    dataset: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = re.escape(self.files).replace(r"\*", "[^/]*?").replace(r"\{name\}", "(?P<name>[^/]+?)")
        return re.compile(pattern)

    def of(self, path: str) -> str:
        """The dataset whose schema is at `path`; empty if it is none of these files."""
        match = self._pattern.fullmatch(path)
        return self.dataset.replace("{name}", match["name"]) if match else ""


class Dbt(_Frozen):
    """A dbt project's folder. `pipelines` build it; where none is named, those whose code names the folder."""

    project: str
    pipelines: tuple[str, ...] = ()


class Layout(_Frozen):
    """Folders and files, as paths below the root.

    `everywhere` are those that run with all pipelines, such as Airflow's plugins. `apart` are those on which no
    pipeline depends, though they lie in the same repository: a statement, which is not looked into. What is stated
    elsewhere in the layout is never apart. `checks` are a team's own: name → `package.module:Class`. `batches` are keys
    of folders in the lake, `batch` of `batch=7/`, that say how data was written and not what it is.
    """

    dags: tuple[str, ...] = ("dags",)
    dbt: tuple[Dbt, ...] = ()
    catalogue: Catalogue | None = None
    contracts: tuple[str, ...] = ()
    schemas: tuple[Schemas, ...] = ()
    everywhere: tuple[str, ...] = ("plugins",)
    apart: tuple[str, ...] = ()
    checks: dict[str, str] = {}
    batches: tuple[str, ...] = ()

    def is_dag(self, path: str) -> bool:
        return path.endswith(".py") and below(path, *self.dags)

    def is_everywhere(self, path: str) -> bool:
        return below(path, *self.everywhere)

    def is_contract(self, path: str) -> bool:
        return path.endswith((".yaml", ".yml")) and below(path, *self.contracts)

    def schema_of(self, path: str) -> str:
        """The dataset whose schema is at `path`; empty if there is none."""
        return next((dataset for schemas in self.schemas if (dataset := schemas.of(path))), "")

    def project_of(self, path: str) -> str:
        """The folder of the dbt project that `path` belongs to; empty if there is none."""
        return next((dbt.project for dbt in self.dbt if below(path, dbt.project)), "")

    def is_stated(self, path: str) -> bool:
        """Whether the layout says what the file is for, so that naming its folder is not reading it."""
        catalogue = self.catalogue is not None and path == self.catalogue.file
        return catalogue or bool(
            self.is_dag(path) or self.is_contract(path) or self.schema_of(path) or self.project_of(path)
        )

    def is_apart(self, path: str) -> bool:
        return below(path, *self.apart) and not self.is_stated(path)


def below(path: str, *folders: str) -> bool:
    """Whether `path` is one of `folders`, or lies below it."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def read_layout(tree: Tree) -> Layout:
    """The layout that `tree` states, with the dbt projects that it holds. Raises `InvalidCatalog`."""
    content: Any = {}
    if FILE in tree:
        try:
            content = yaml.safe_load(tree.text(FILE)) or {}
        except yaml.YAMLError as error:
            raise InvalidCatalog(f"{FILE}: cannot be read as YAML: {error}. Mend the file") from error
    try:
        layout = Layout.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidCatalog(f"{FILE}: {where}: {first['msg']}, got {first['input']!r}; see docs/impact.md") from error
    if layout.dbt:
        return layout
    found = [path.rpartition("/")[0] for path in tree if path.rpartition("/")[2] == "dbt_project.yml"]
    return layout.model_copy(
        update={"dbt": tuple(Dbt(project=folder) for folder in found if folder and not below(folder, *layout.apart))}
    )
