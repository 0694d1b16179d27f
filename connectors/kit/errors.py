"""Every error of the connectors and roles, sorted by what the caller must do.

SluiceError
  Retry                 wait, then the same again
    Throttled           ... not before `retry_after` seconds
    Unavailable         ... the other side is away (connect, timeout, 5xx)
    Renewed             ... at once: the credential that was refused has been given up for a new one
    Conflict            ... at once: refused for what is held or under way there, by a side that is well
  OutcomeUnknown        the request may have been carried out: verify or repeat by the operation's rule
  Skip                  count it and go on; nothing is lost by it
  DeadLetter            this record can never succeed: keep it with its reason and go on
    Unlinkable          no entity can be found for a remote id
    Invalid             the vendor or a schema refuses the content
  Stop                  this account or process cannot go on: a person must act
    Unauthorised        credentials are refused
    Misconfigured       a setting is wrong
  Refused               an inbound request is not to be accepted (HTTP status in `status`)
    BadSignature        401
    UnknownRoute        404
    TooLarge            413
"""

from __future__ import annotations


class SluiceError(Exception):
    """Base of all our errors. `reason` is machine-readable and stands in dead letters and metrics."""

    reason = "error"

    def __init__(self, detail: str, *, reason: str | None = None, hint: str = "") -> None:
        super().__init__(f"{detail} ({hint})" if hint else detail)
        self.detail = detail
        self.hint = hint
        if reason is not None:
            self.reason = reason


class Retry(SluiceError):
    """Wait, then do the same again."""

    reason = "retry"


class Throttled(Retry):
    """The vendor asked us to slow down. `retry_after` is in seconds, None when it did not say."""

    reason = "throttled"

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(Retry):
    """The other side is away; nothing was carried out."""

    reason = "unavailable"


class Renewed(Retry):
    """The credential was refused, nothing was carried out, and a new one is asked for before anything else."""

    reason = "renewed"


class Conflict(Retry):
    """Refused for what is held or under way at the other side, which is well; nothing was carried out. Whoever tries
    again looks afresh."""

    reason = "conflict"


class OutcomeUnknown(SluiceError):
    """The request may have been carried out: no reply, or a reply that cannot be read."""

    reason = "outcome_unknown"


class Skip(SluiceError):
    """Count it and go on; nothing is lost by it."""

    reason = "skip"


class DeadLetter(SluiceError):
    """This record can never succeed as it is."""

    reason = "dead_letter"


class Unlinkable(DeadLetter):
    """No entity can be found for a remote id."""

    reason = "unlinkable"


class Invalid(DeadLetter):
    """The content is refused by the vendor, a schema or a mapping."""

    reason = "invalid"


class Stop(SluiceError):
    """A person must act before this account or process can go on."""

    reason = "stop"


class Unauthorised(Stop):
    """Credentials are refused."""

    reason = "unauthorised"


class Misconfigured(Stop):
    """A setting is wrong; the text names the key, the value and what is allowed."""

    reason = "misconfigured"


class Refused(SluiceError):
    """An inbound request that is not to be accepted."""

    reason = "refused"
    status = 400


class BadSignature(Refused):
    """The signature does not fit the raw body under any active secret."""

    reason = "bad_signature"
    status = 401


class UnknownRoute(Refused):
    """No account has this route."""

    reason = "unknown_route"
    status = 404


class TooLarge(Refused):
    """The body is larger than the platform's limit."""

    reason = "too_large"
    status = 413
