"""How the API refuses."""

from __future__ import annotations


class ApiError(Exception):
    """HTTP status, the API's own code and its message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code
