"""Reading a file of include/catalog: YAML, validated, with errors that name the file, the key and what was got."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from testenv.core.errors import InvalidCatalog

CATALOG = Path(__file__).parents[2] / "catalog"

M = TypeVar("M", bound=BaseModel)


def read(file: Path) -> Any:
    """The file's content. Raises `InvalidCatalog`."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InvalidCatalog(f"{file.name}: cannot be read as YAML: {error}. Mend the file") from error


def validated(model: type[M], content: Any, file: Path, *keys: str) -> M:
    """`content`, which stands below `keys` in `file`, as a `model`. Raises `InvalidCatalog` naming key and value."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([*keys, *map(str, first["loc"])])
        raise InvalidCatalog(f"{file.name}: {key}: {first['msg']}, got {first['input']!r}") from error
