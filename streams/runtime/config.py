"""The file `sluice.yaml`: tenants and their accounts, and the rules that decide conflicts and move winners."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured
from connectors.kit.settings import resolve
from schemas.entities import EntityType, Lane
from streams.core.massdelete import Brake
from streams.core.policy import Flow, Rules, TaskKind
from streams.core.stock import Guard
from streams.runtime import policies as policies_file
from streams.runtime.document import Document, Node
from streams.runtime.policies import ORDERING, Policies, PolicyReader

Supports = Callable[[str, EntityType], bool]
Check = Callable[[Account], None]

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
    policies: Path | None = None,
    inline: bool = True,
) -> Config:
    """Read and check the whole file. `supports(platform, type)` says whether a destination can write a type.
    `policies`: the file of the policies, as in SLUICE_POLICIES_FILE; by default policies.yaml beside `path`, if it is
    there. Without `inline` the policies that stand in the configuration file count for nothing beside it.

    Raises Misconfigured with every problem found, one per line, each with line and path in the file, what is wrong
    and what is allowed. Secrets are read from where they are referenced: those of accounts at the platforms
    `secrets_of` (default: all), none when `with_secrets` is False; one that is not read is the empty text, which no
    signature fits. `check` looks into the settings of an account and raises Misconfigured.
    """
    readable = frozenset((platforms if secrets_of is None else secrets_of) if with_secrets else ())
    environ = os.environ if environ is None else environ
    return _Reader(Document(path), platforms, supports, environ, readable, check).read(
        policies or policies_file.beside(path), inline=inline
    )


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
        self._policies = PolicyReader(document, ())

    def read(self, policies: Path | None, *, inline: bool) -> Config:
        """`policies`: a file of their own."""
        own = policies_file.document(policies) if policies else None
        top = self._doc.mapping(self._doc.root, _TOP, required=["tenants"])
        if "tenants" in top:
            self._tenants(top["tenants"])
        names = {account for _, account in self._accounts}
        self._policies = PolicyReader(self._doc, names)
        read = (
            self._of_file(PolicyReader(own, names), policies, top, inline=inline)
            if own and policies
            else (self._of_part(top))
        )
        rules = Rules(
            revision=read.revision,
            policies=read.policies,
            ordering=read.ordering,
            flows=self._flows(top["flows"]) if "flows" in top else (),
            max_future_skew=self._doc.number(top["max_future_skew"], 0.0) if "max_future_skew" in top else 300.0,
            mass_delete=self._brake(top["mass_delete"]) if "mass_delete" in top else Brake(),
            grave_days=self._doc.integer(top["grave_days"], 1) if "grave_days" in top else 100,
        )
        self._doc.problems += own.problems if own else []
        self._doc.finish()
        return Config(self._accounts, rules)

    def _of_part(self, top: Mapping[str, Node]) -> Policies:
        ordering = self._policies.orderings(top[ORDERING]) if ORDERING in top else {}
        return self._policies.part(top["policies"], ordering) if "policies" in top else Policies(ordering=ordering)

    def _of_file(self, own: PolicyReader, path: Path, top: Mapping[str, Node], *, inline: bool) -> Policies:
        found = own.file()
        said_there = ["policies", *([ORDERING] if found.ordering else [])]
        for part in (part for part in said_there if inline and part in top):
            self._doc.problem(
                top[part],
                f"stands in {path} too; remove this part, or that file (what SLUICE_POLICIES_FILE names, else "
                f"{policies_file.FILE} beside this one)",
            )
        if found.ordering or ORDERING not in top:
            return found
        return replace(found, ordering=self._policies.orderings(top[ORDERING]))

    # ------------------------------------------------------------------------------------------- accounts

    def _tenants(self, node: Node) -> None:
        for tenant, inner in self._doc.mapping(node).items():
            self._doc.name(tenant, inner)
            accounts = self._doc.mapping(inner, {"accounts"}, required=["accounts"]).get("accounts")
            for name, account in (self._doc.mapping(accounts) if accounts else {}).items():
                self._doc.name(name, account)
                self._account(tenant, name, account)
        if not self._accounts:
            self._doc.problem(node, "no account is configured; allowed: TENANT.accounts.ID")

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

    def _brake(self, node: Node) -> Brake:
        keys = self._doc.mapping(node, {"most", "within"})
        most = self._doc.integer(keys["most"], 0) if "most" in keys else Brake().most
        return Brake(most, self._doc.number(keys["within"], 1.0) if "within" in keys else Brake().within)

    def _flows(self, node: Node) -> tuple[Flow, ...]:
        flows = [self._flow(name, value) for name, value in self._doc.mapping(node).items()]
        return tuple(flow for flow in flows if flow is not None)

    def _flow(self, name: str, node: Node) -> Flow | None:
        self._doc.name(name, node)
        needed = ["entity", "to", "fields"]
        keys = self._doc.mapping(node, {*needed, "lane", "kind", "guard"}, required=needed)
        if not set(needed) <= set(keys):
            return None
        entity = self._doc.choice(keys["entity"], EntityType)
        to = self._policies.account_names(keys["to"])
        lane = self._doc.choice(keys["lane"], Lane) if "lane" in keys else None
        kind = self._doc.choice(keys["kind"], TaskKind) if "kind" in keys else None
        if entity is None:
            return None
        self._check_supported(keys["to"], entity, to)
        guard = self._guard(keys["guard"], entity, to) if "guard" in keys else None
        fields = self._policies.fields(keys["fields"], entity, _NO_BUSINESS)
        return Flow(name, entity, to, fields, lane or Lane.NORMAL, kind or TaskKind.SET, guard)

    def _guard(self, node: Node, entity: EntityType, to: tuple[str, ...]) -> Guard:
        """Of a stock flow only: what its channels are not told of the stock."""
        keys = self._doc.mapping(node, {"safety", "channels", "learns_within"})
        if entity is not EntityType.INVENTORY_LEVEL:
            self._doc.problem(node, f"a guard is for flows of inventory_level; this one is of {entity}")
        channels = self._doc.mapping(keys["channels"], set(to)) if "channels" in keys else {}
        return Guard(
            safety=self._units(keys["safety"]) if "safety" in keys else Decimal(0),
            channels={name: self._units(units) for name, units in channels.items()},
            learns_within=self._doc.number(keys["learns_within"], 0.0) if "learns_within" in keys else 60.0,
        )

    def _units(self, node: Node) -> Decimal:
        return Decimal(str(self._doc.number(node, 0.0)))

    def _check_supported(self, node: Node, entity: EntityType, to: tuple[str, ...]) -> None:
        if self._supports is None:
            return
        for account in self._accounts.values():
            if account.id in to and account.platform and not self._supports(account.platform, entity):
                able = ", ".join(kind for kind in EntityType if self._supports(account.platform, kind)) or "nothing"
                self._doc.problem(node, f"{account.platform} ({account.id}) cannot hold {entity}; allowed: {able}")
