"""Every setting of a process, in one list: `SLUICE_*` variables over the file `SLUICE_SETTINGS_FILE` over defaults."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from connectors.kit.errors import Misconfigured
from connectors.kit.log import LEVELS, redact_text
from connectors.kit.settings import MASK
from schemas.topics import PLATFORMS, PROFILES, Profile, Role
from streams.shard.seen import IN_MEMORY, MAX_IDS

PREFIX = "SLUICE_"
FILE_VARIABLE = "SLUICE_SETTINGS_FILE"
_COURIER_PORTS = 10  # above the base

Port = Annotated[int, Field(ge=0, le=65535)]
Milliseconds = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _instance() -> str:
    """Kubernetes gives a pod its name; elsewhere a host runs one process of a role."""
    return os.environ.get("POD_NAME") or socket.gethostname()


class Settings(BaseSettings):
    """Read once at start. Raises Misconfigured through `load`; use that."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    profile: Literal["development", "production"] = Field(
        "development", description="Partition counts, replication and how strict start-up checks are."
    )
    config_file: Path = Field(Path("sluice.yaml"), description="Accounts, policies and flows.")
    policies_file: Path | None = Field(
        None,
        description="Policies, when they stand in a file of their own. Default: policies.yaml beside "
        "SLUICE_CONFIG_FILE, if it is there.",
    )
    flows_file: Path | None = Field(
        None,
        description="Flows, when they stand in a file of their own. Default: flows.yaml beside SLUICE_CONFIG_FILE, if "
        "it is there.",
    )
    instance_id: str = Field(
        default_factory=_instance,
        min_length=1,
        max_length=200,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of this process, stable over restarts; static group membership. Default: POD_NAME, else the "
        "host name.",
    )
    bootstrap: str = Field("127.0.0.1:19092", min_length=1, description="Kafka brokers, host:port, comma-separated.")
    registry: str = Field(
        "http://127.0.0.1:18080/apis/ccompat/v7",
        pattern=r"^https?://",
        repr=False,  # a URL may hold credentials
        description="Schema registry with the Confluent API.",
    )
    topic_prefix: str = Field("sluice.", pattern=r"^[A-Za-z0-9._-]*$", description="What all topic names begin with.")
    broker_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How brokers are spoken to."
    )
    broker_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the user is proven, with a SASL protocol."
    )
    broker_username: str = Field("", description="User, with a SASL protocol.")
    broker_password: SecretStr = Field(SecretStr(""), description="Its password.")
    broker_ca_file: Path | None = Field(None, description="PEM of the authority that signed the brokers' certificates.")
    broker_certificate_file: Path | None = Field(None, description="PEM of our certificate, for mutual TLS.")
    broker_key_file: Path | None = Field(None, description="PEM of its key.")
    state_dir: Path = Field(Path(".sluice/state"), description="Local stores; a cache of changelogs, safe to delete.")
    schema_cache: Path = Field(
        Path(".sluice/schemas"), description="Schemas by id, so that a registry that is away stops nobody."
    )
    session_timeout_ms: int = Field(
        45_000, ge=6_000, description="Group session, ms: how long a dead process keeps its shards from the others."
    )
    transaction_timeout_ms: int = Field(
        60_000, ge=1_000, le=900_000, description="Broker aborts a transaction that is open for longer, ms."
    )
    commit_interval_ms: int = Field(
        400, ge=5, description="Longest a loaded shard collects before it commits, ms; an idle one commits at once."
    )
    offsets_lost: Literal["stop", "skip"] = Field(
        "stop",
        description="When records were deleted before they were read: stop refuses to work, skip goes on behind them, "
        "with an error in the log and a count.",
    )
    row_cache_entries: int = Field(50_000, ge=0, description="Rows per shard kept in memory over the local store.")
    seen_ids: int = Field(
        MAX_IDS,
        ge=IN_MEMORY,
        description="Ids of released events per shard kept on disk, at 16 bytes each; beyond it the oldest day is "
        "forgotten. See sizing.md.",
    )
    receiver_max_body_bytes: int = Field(
        5 * 1024 * 1024, ge=1024, le=8 * 1024 * 1024, description="Largest webhook body, bytes; larger ones get 413."
    )
    receiver_delivery_timeout: Seconds = Field(
        3.5, description="Longest wait for the brokers' acknowledgement, s; then 503 and the vendor sends again."
    )
    receiver_request_timeout: Seconds = Field(
        4.0, description="Longest a request may take, s; below the vendors' own limit of 5 s."
    )
    receiver_queue_limit: int = Field(
        20_000, ge=1, description="Records accepted and not acknowledged; beyond it 503 with Retry-After."
    )
    receiver_linger_ms: Milliseconds = Field(1, description="How long the producer waits for a fuller batch, ms.")
    receiver_http_port: Port = Field(8080, description="Port of the receiver: webhooks, health and metrics. 0: any.")
    http_host: str = Field("0.0.0.0", min_length=1, description="Address the HTTP servers listen on.")
    health_port_base: int = Field(
        8090,
        ge=0,
        le=65_000,
        description="Health and metrics of mapper (this port), resolver (+1), console (+2), couriers (+10 and on by "
        "platform); 0: any.",
    )
    vendor_timeout: Seconds = Field(20.0, description="Longest a request to a vendor may take, s.")
    courier_quarantine_margin: Seconds = Field(
        10.0,
        description="How long beyond SLUICE_VENDOR_TIMEOUT an unanswered write may still be carried out by the vendor, "
        "s; until then nothing newer is written to the same entity.",
    )
    courier_subscriptions_interval: Seconds = Field(
        900.0,
        description="Time between two looks at an account's webhook subscriptions, s; missing ones are made anew.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["json", "console"] = Field("console", description="json for machines, console for people.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, file."""
        path = os.environ.get(FILE_VARIABLE)
        file = (YamlConfigSettingsSource(settings_cls, yaml_file=path),) if path else ()
        return init_settings, env_settings, *file

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        for text in self._contradictions():
            raise ValueError(text)
        return self

    def _contradictions(self) -> Iterator[str]:
        if self.receiver_delivery_timeout >= self.receiver_request_timeout:
            yield (
                "SLUICE_RECEIVER_DELIVERY_TIMEOUT must be below SLUICE_RECEIVER_REQUEST_TIMEOUT, or the vendor is cut "
                "off before it is answered"
            )
        if self.commit_interval_ms * 2 >= self.transaction_timeout_ms:
            yield (
                "SLUICE_COMMIT_INTERVAL_MS must be below half of SLUICE_TRANSACTION_TIMEOUT_MS, or the broker aborts "
                "healthy transactions"
            )
        sasl, has_password = self.broker_protocol.startswith("SASL"), bool(self.broker_password.get_secret_value())
        if sasl and not (self.broker_username and has_password):
            yield "SLUICE_BROKER_PROTOCOL is a SASL one: SLUICE_BROKER_USERNAME and SLUICE_BROKER_PASSWORD are needed"
        if not sasl and (self.broker_username or has_password):
            yield (
                "SLUICE_BROKER_USERNAME or SLUICE_BROKER_PASSWORD is set, but SLUICE_BROKER_PROTOCOL would not use it; "
                "set it to SASL_SSL"
            )
        if (self.broker_certificate_file is None) != (self.broker_key_file is None):
            yield "SLUICE_BROKER_CERTIFICATE_FILE and SLUICE_BROKER_KEY_FILE are needed together"

    def topics(self) -> Profile:
        """Partition counts and replication of the profile."""
        return PROFILES[self.profile]

    def http_port(self, role: Role, platform: str = "") -> int:
        """Where a role serves health and metrics, so that all roles fit on one host; 0 (any) when the base is 0.

        The receiver has its own; mapper, resolver and console follow the base in that order, couriers stand 10 above
        it by platform. Raises KeyError for a role without process.
        """
        if role is Role.RECEIVER:
            return self.receiver_http_port
        if not self.health_port_base:
            return 0
        if role is Role.COURIER:
            return self.health_port_base + _COURIER_PORTS + PLATFORMS.index(platform)
        return self.health_port_base + {Role.MAPPER: 0, Role.RESOLVER: 1, Role.CONSOLE: 2}[role]

    def librdkafka(self) -> dict[str, Any]:
        """How to reach and log in to the brokers, as confluent-kafka takes it. Holds the password: never log it."""
        config: dict[str, Any] = {"bootstrap.servers": self.bootstrap, "security.protocol": self.broker_protocol}
        if self.broker_protocol.startswith("SASL"):
            config["sasl.mechanism"] = self.broker_sasl_mechanism
            config["sasl.username"] = self.broker_username
            config["sasl.password"] = self.broker_password.get_secret_value()
        files = {
            "ssl.ca.location": self.broker_ca_file,
            "ssl.certificate.location": self.broker_certificate_file,
            "ssl.key.location": self.broker_key_file,
        }
        return config | {key: str(path) for key, path in files.items() if path is not None}


assert set(LEVELS) == set(get_args(Settings.model_fields["log_level"].annotation))


def load(**given: Any) -> Settings:
    """The settings of this process; `given` wins over everything. Raises Misconfigured naming each wrong one."""
    path = os.environ.get(FILE_VARIABLE)
    if path and not Path(path).is_file():
        raise Misconfigured(f"{FILE_VARIABLE}={path}: there is no such file")
    try:
        return Settings(**given)
    except ValidationError as error:
        raise Misconfigured("; ".join(_told(one) for one in error.errors()), hint="see `sluice config show`") from None
    except (TypeError, ValueError) as error:
        raise Misconfigured(f"{FILE_VARIABLE}={path}: not a YAML mapping of settings ({error})") from error


def _told(error: Any) -> str:
    """One wrong setting as: variable=value: allowed. Values of secrets are left out."""
    if not error["loc"]:
        return str(error["msg"]).removeprefix("Value error, ")
    name = str(error["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:
        return f"{name} in the settings file is not a setting; allowed: {', '.join(Settings.model_fields)}"
    value = MASK if is_secret(field) else redact_text(str(error["input"]))
    return f"{variable(name)}={value}: {error['msg'][:1].lower()}{error['msg'][1:]}; allowed: {allowed(field)}"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def is_secret(field: FieldInfo) -> bool:
    """Whether its value is never shown."""
    return field.annotation is SecretStr


def allowed(field: FieldInfo) -> str:
    """What a setting may be, in words."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(map(str, get_args(field.annotation)))
    kinds: dict[object, str] = {int: "integer", float: "number", str: "text", SecretStr: "text"}
    bounds = [
        f"{words} {getattr(one, attribute)}"
        for one in field.metadata
        for attribute, words in _BOUNDS.items()
        if getattr(one, attribute, None) is not None
    ]
    return " ".join([kinds.get(field.annotation, "path"), *bounds])


_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "pattern": "matching"}
