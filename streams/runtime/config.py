"""The file `sluice.yaml`: tenants and their accounts, and the rules that decide conflicts and move winners."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured
from connectors.kit.settings import resolve
from schemas import codec
from schemas.entities import EntityType, Lane
from streams.core.massdelete import Brake
from streams.core.policy import Flow, Ordering, OrderingMode, Policy, PolicyKind, Rules, TaskKind
from streams.runtime.document import Document, Node

Supports = Callable[[str, EntityType], bool]
Check = Callable[[Account], None]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ACCOUNT = {"platform", "base_url", "priority", "clock_offset", "clock_epoch", "settings", "secrets"}
_TOP = {"tenants", "policies", "ordering", "max_future_skew", "mass_delete", "grave_days", "flows"}
_NO_BUSINESS = {"meta", "extra"}  # fields of every record that no flow writes


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says. `accounts`: by (tenant, account id)."""

    accounts: Mapping[tuple[str, str], Account]
    rules: Rules


def load(
    path: Path,
    platforms: Collection[str],
    supports: Supports | None = None,
    environ: Mapping[str, str] | None = None,
    with_secrets: bool = True,
    secrets_of: Collection[str] | None = None,
    check: Check | None = None,
) -> Config:
    """Read and check the whole file. `supports(platform, type)` says whether a destination can write a type.

    Raises Misconfigured with every problem found, one per line, each with line and path in the file, what is wrong
    and what is allowed. Secrets are read from where they are referenced: those of accounts at the platforms
    `secrets_of` (default: all), none when `with_secrets` is False; one that is not read is the empty text, which no
    signature fits. `check` looks into the settings of an account and raises Misconfigured.
    """
    readable = frozenset((platforms if secrets_of is None else secrets_of) if with_secrets else ())
    environ = os.environ if environ is None else environ
    return _Reader(Document(path), platforms, supports, environ, readable, check).read()


class _Reader:
    def __init__(
        self,
        document: Document,
        platforms: Collection[str],
        supports: Supports | None,
        environ: Mapping[str, str],
        secrets_of: frozenset[str],
        check: Check | None,
    ) -> None:
        self._doc = document
        self._platforms = platforms
        self._supports = supports
        self._environ = environ
        self._secrets_of = secrets_of
        self._check = check
        self._accounts: dict[tuple[str, str], Account] = {}

    def read(self) -> Config:
        top = self._doc.mapping(self._doc.root, _TOP, required=["tenants"])
        if "tenants" in top:
            self._tenants(top["tenants"])
        revision, policies = self._policies(top["policies"]) if "policies" in top else (1, {})
        rules = Rules(
            revision=revision,
            policies=policies,
            ordering=self._orderings(top["ordering"]) if "ordering" in top else {},
            flows=self._flows(top["flows"]) if "flows" in top else (),
            max_future_skew=self._doc.number(top["max_future_skew"], 0.0) if "max_future_skew" in top else 300.0,
            mass_delete=self._brake(top["mass_delete"]) if "mass_delete" in top else Brake(),
            grave_days=self._doc.integer(top["grave_days"], 1) if "grave_days" in top else 100,
        )
        self._doc.finish()
        return Config(self._accounts, rules)

    # ------------------------------------------------------------------------------------------- accounts

    def _tenants(self, node: Node) -> None:
        for tenant, inner in self._doc.mapping(node).items():
            self._name(tenant, inner)
            accounts = self._doc.mapping(inner, {"accounts"}, required=["accounts"]).get("accounts")
            for name, account in (self._doc.mapping(accounts) if accounts else {}).items():
                self._name(name, account)
                self._account(tenant, name, account)
        if not self._accounts:
            self._doc.problem(node, "no account is configured; allowed: TENANT.accounts.ID")

    def _name(self, name: str, node: Node) -> None:
        if not _NAME.fullmatch(name):
            self._doc.problem(node, f"name {name!r} is not allowed; allowed: up to 63 letters, digits, . _ -")

    def _account(self, tenant: str, id: str, node: Node) -> None:
        keys = self._doc.mapping(node, _ACCOUNT, required=["platform", "base_url"])
        if not {"platform", "base_url"} <= set(keys):
            return
        settings = self._doc.mapping(keys["settings"]) if "settings" in keys else {}
        platform = self._doc.one_of(keys["platform"], self._platforms, "a platform") or ""
        account = self._accounts[tenant, id] = Account(
            tenant=tenant,
            id=id,
            platform=platform,
            base_url=self._base_url(keys["base_url"]),
            settings={key: self._doc.scalar(value) for key, value in settings.items()},
            secrets=self._secrets(keys["secrets"], platform) if "secrets" in keys else {},
            priority=self._doc.integer(keys["priority"], 0) if "priority" in keys else 100,
            clock_offset=self._doc.number(keys["clock_offset"]) if "clock_offset" in keys else 0.0,
            clock_epoch=self._doc.integer(keys["clock_epoch"], 1) if "clock_epoch" in keys else 1,
        )
        self._look_into(keys.get("settings", node), account)

    def _look_into(self, node: Node, account: Account) -> None:
        if self._check is None:
            return
        try:
            self._check(account)
        except Misconfigured as error:
            self._doc.problem(node, str(error))

    def _base_url(self, node: Node) -> str:
        text = self._doc.text(node)
        try:
            parts = urlsplit(text)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if text and not usable:
            self._doc.problem(node, "must be a URL; allowed: http://HOST or https://HOST, with port and path")
        elif text and (parts.username or parts.password or parts.query or parts.fragment):
            self._doc.problem(node, "must hold no user, password, query or fragment; put credentials under secrets")
        return text

    def _secrets(self, node: Node, platform: str) -> dict[str, tuple[str, ...]]:
        wanted = platform in self._secrets_of
        return {
            name: tuple(self._secret(one, wanted=wanted) for one in self._doc.items(references))
            for name, references in self._doc.mapping(node).items()
        }

    def _secret(self, node: Node, *, wanted: bool) -> str:
        reference = self._doc.text(node)
        if not reference or not wanted:
            return ""
        try:
            return resolve(reference, self._environ)
        except Misconfigured as error:
            self._doc.problem(node, str(error))
            return ""

    # ------------------------------------------------------------------------------------------- rules

    def _policies(self, node: Node) -> tuple[int, dict[EntityType, Policy]]:
        keys = self._doc.mapping(node, {"revision", *EntityType})
        revision = self._doc.integer(keys.pop("revision"), 1) if "revision" in keys else 1
        return revision, {EntityType(name): self._policy(value) for name, value in keys.items()}

    def _policy(self, node: Node) -> Policy:
        keys = self._doc.mapping(node, {"kind", "owners"}, required=["kind"])
        kind = self._doc.choice(keys["kind"], PolicyKind) if "kind" in keys else None
        owners = self._account_names(keys["owners"]) if "owners" in keys else ()
        if kind is PolicyKind.OWNER and "owners" not in keys:
            self._doc.problem(node, "kind owner needs owners: account ids, most important first")
        if kind in (PolicyKind.SINGLE, PolicyKind.LWW) and "owners" in keys:
            self._doc.problem(keys["owners"], f"kind {kind} has no owners; remove them or say kind: owner")
        return Policy(kind or PolicyKind.LWW, owners)

    def _account_names(self, node: Node) -> tuple[str, ...]:
        """Account ids, each known in at least one tenant: rules are shared by all tenants."""
        known = {account for _, account in self._accounts}
        nodes = self._doc.items(node)
        names = [self._doc.one_of(one, known, "an account of any tenant") for one in nodes]
        if len(set(names)) < len(names):
            self._doc.problem(node, "names an account twice")
        if not names:
            self._doc.problem(node, "must name an account")
        return tuple(name for name in names if name)

    def _brake(self, node: Node) -> Brake:
        keys = self._doc.mapping(node, {"most", "within"})
        most = self._doc.integer(keys["most"], 0) if "most" in keys else Brake().most
        return Brake(most, self._doc.number(keys["within"], 1.0) if "within" in keys else Brake().within)

    def _orderings(self, node: Node) -> dict[EntityType, Ordering]:
        keys = self._doc.mapping(node, {"default", *EntityType})
        default = self._ordering(keys.pop("default"), Ordering()) if "default" in keys else Ordering()
        own = {EntityType(name): self._ordering(value, default) for name, value in keys.items()}
        return {kind: own.get(kind, default) for kind in EntityType}

    def _ordering(self, node: Node, default: Ordering) -> Ordering:
        keys = self._doc.mapping(node, {"mode", "lateness"})
        mode = self._doc.choice(keys["mode"], OrderingMode) if "mode" in keys else default.mode
        lateness = self._doc.number(keys["lateness"], 0.0) if "lateness" in keys else default.lateness
        return Ordering(mode or default.mode, lateness)

    def _flows(self, node: Node) -> tuple[Flow, ...]:
        flows = [self._flow(name, value) for name, value in self._doc.mapping(node).items()]
        return tuple(flow for flow in flows if flow is not None)

    def _flow(self, name: str, node: Node) -> Flow | None:
        self._name(name, node)
        needed = ["entity", "to", "fields"]
        keys = self._doc.mapping(node, {*needed, "lane", "kind"}, required=needed)
        if not set(needed) <= set(keys):
            return None
        entity = self._doc.choice(keys["entity"], EntityType)
        to = self._account_names(keys["to"])
        lane = self._doc.choice(keys["lane"], Lane) if "lane" in keys else None
        kind = self._doc.choice(keys["kind"], TaskKind) if "kind" in keys else None
        if entity is None:
            return None
        self._check_supported(keys["to"], entity, to)
        return Flow(name, entity, to, self._fields(keys["fields"], entity), lane or Lane.NORMAL, kind or TaskKind.SET)

    def _fields(self, node: Node, entity: EntityType) -> tuple[str, ...]:
        known = {field["name"] for field in codec.load(entity.value)["fields"]} - _NO_BUSINESS
        names = [self._doc.one_of(one, known, f"a field of {entity}") for one in self._doc.items(node)]
        if not names:
            self._doc.problem(node, f"must name a field; allowed: {', '.join(sorted(known))}")
        return tuple(name for name in names if name)

    def _check_supported(self, node: Node, entity: EntityType, to: tuple[str, ...]) -> None:
        if self._supports is None:
            return
        for account in self._accounts.values():
            if account.id in to and account.platform and not self._supports(account.platform, entity):
                able = ", ".join(kind for kind in EntityType if self._supports(account.platform, kind)) or "nothing"
                self._doc.problem(node, f"{account.platform} ({account.id}) cannot hold {entity}; allowed: {able}")
