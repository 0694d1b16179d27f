"""What can go wrong with the local stack; each message says what to do about it.

StackError
|- MavenMissing      install Maven (needed once, to fill the cache)
|- FetchFailed       read Maven's own words, then try again
|- PortInUse         free the port or choose another
|- ProcessDied       read the log lines that come with it
|- NotReady          give it more time, or read the log
`- StateMismatch     the data folder holds something else than what was asked for: `sluice stack reset`
"""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """The local stack cannot do what was asked; the text is meant for the person at the terminal."""


class MavenMissing(StackError):
    """The jars are not in the cache and the tool that fetches them is not installed."""

    def __init__(self, cache: Path) -> None:
        super().__init__(
            "Maven (the command `mvn`) was not found. It is needed once, to fetch the jars of Kafka and of the "
            f"registry into {cache}; later starts do without it.\n"
            "Install it with `apt-get install maven` (Debian, Ubuntu) or `brew install maven` (macOS)."
        )


class FetchFailed(StackError):
    """Maven ran and did not deliver."""

    def __init__(self, what: str, output: str) -> None:
        super().__init__(f"Maven could not fetch {what}. Its last words:\n{output}")


class PortInUse(StackError):
    """Someone else listens where we were told to."""

    def __init__(self, port: int, role: str, option: str, variable: str, holder: str | None) -> None:
        by = f" by {holder}" if holder else ""
        super().__init__(
            f"port {port} ({role}) is already in use{by}. Choose another with {option} or {variable}, "
            "or let the stack choose with --ports auto."
        )
        self.port = port


class ProcessDied(StackError):
    """A server ended before it was ready."""

    def __init__(self, name: str, log: Path, tail: list[str]) -> None:
        lines = "\n".join(f"  {line}" for line in tail) or "  (the log is empty)"
        super().__init__(f"{name} died while starting. The last lines of {log}:\n{lines}")
        self.name = name


class NotReady(StackError):
    """A server runs but did not answer in time."""

    def __init__(self, names: list[str], seconds: float) -> None:
        super().__init__(
            f"not ready after {seconds:.0f} s: {', '.join(names)}. `sluice stack logs` shows why; "
            "a Kafka that was killed with many partitions needs longer to recover, see --timeout."
        )


class StateMismatch(StackError):
    """The data folder was made for another shape of stack, or its state file cannot be read."""
