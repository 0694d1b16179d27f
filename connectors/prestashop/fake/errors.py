"""How the webservice refuses."""

from __future__ import annotations


class WebserviceError(Exception):
    """HTTP status, the webservice's own code and its message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
