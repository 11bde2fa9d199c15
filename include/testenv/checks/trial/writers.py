"""Which pipelines, and which tasks of theirs, an output is known to come from: by what is declared and by its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from testenv.checks.trial.record import Output
from testenv.core.contract import Store


@dataclass(frozen=True)
class Writers:
    """`declared`: pipeline → the contracts' ids that it writes; nothing where nobody says."""

    declared: Mapping[str, Collection[str]] = field(default_factory=dict)

    def dataset(self, store: Store, name: str) -> str:
        """The contract that an output is of, among those that are declared; empty if none."""
        id_ = f"{store}.{name}"
        return id_ if any(id_ in each for each in self.declared.values()) else ""

    def named(self, output: Output, ran: Collection[str], tasks: Mapping[str, tuple[str, ...]]) -> Output:
        """The output with its writers among the pipelines that `ran`, and the tasks of theirs that wrote it."""
        by = self._writers(output, sorted(ran))
        found = (_task(output, tasks.get(each, ())) for each in by)
        named = tuple(f"{each}.{task}" for each, task in zip(by, found, strict=True) if task)
        return output.model_copy(update={"writers": tuple(by), "tasks": named})

    def _writers(self, output: Output, ran: list[str]) -> list[str]:
        words = set(_words(output))
        by_dataset = [each for each in ran if output.dataset and output.dataset in self.declared.get(each, ())]
        if by_dataset:
            return by_dataset
        if own := [each for each in ran if each in words]:
            return own
        if output.store is Store.S3:
            written = {each: {id_.rpartition(".")[2].lower() for id_ in self.declared.get(each, ())} for each in ran}
            if by_name := [each for each in ran if written[each] & words]:
                return by_name
        silent = [each for each in ran if not self.declared.get(each)]
        if len(silent) == 1 and output.store is Store.SNOWFLAKE:
            return silent
        return ran if len(ran) == 1 else []


def _task(output: Output, tasks: tuple[str, ...]) -> str:
    """The one of a pipeline's tasks, in order, that wrote the output; empty where that is not known.

    A table is loaded by the last task that ends with its name. Files were written by the first of several that do; if
    one alone does, it loads them, and the pipeline's first task wrote them.
    """
    named = [task for task in tasks if any(task.endswith(word) for word in _words(output))]
    if len(tasks) == 1 or (named and output.store is Store.S3 and len(named) == 1):
        return tasks[0]
    if not named:
        return ""
    return named[0] if output.store is Store.S3 else named[-1]


def _words(output: Output) -> list[str]:
    """What an output is called: parts of the folder's path, or the table's name, in lower case."""
    if output.store is Store.S3:
        return [part for part in output.name.lower().strip("/").split("/") if "=" not in part]
    return [output.name.lower().rpartition(".")[2]]
