"""One tree of errors; each leaf says whether trying again helps."""

from __future__ import annotations

import inspect

from testenv.core import errors


def test_every_error_is_either_transient_or_terminal_and_drawn_in_the_tree() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]
    assert len(classes) > 10
    for error in classes:
        assert error.__name__ in (errors.__doc__ or "")
        if error not in (errors.TestenvError, errors.Transient, errors.Terminal):
            assert issubclass(error, errors.Transient) != issubclass(error, errors.Terminal)
