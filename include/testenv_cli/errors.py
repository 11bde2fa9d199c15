"""What the command ends with: an exit code, and for people a message that says what to do."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, part of the interface: scripts may rely on them."""

    OK = 0
    FAILED = 1
    BAD_REQUEST = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    TIMED_OUT = 6
    NOT_JUDGED = 7


class CliError(Exception):
    """Ends the command with `code`, after `message` on standard error."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


EXIT_CODES = """Exit codes: 0 done, or the verdict is yes; 1 the run failed, or the verdict is no; 2 bad request;
3 no such environment, run or task; 4 refused: no place, or the environment's state forbids it; 5 the control plane
cannot be reached or refuses the login; 6 timed out while waiting (what was started goes on); 7 the release could not be
judged."""
