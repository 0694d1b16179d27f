"""The file `sluice.yaml`: tenants and their accounts, and the rules that decide conflicts and move winners."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured
from connectors.kit.settings import resolve
from streams.core.lanes import Lanes
from streams.core.massdelete import Brake
from streams.core.policy import Rules
from streams.core.route import Route
from streams.runtime import flows as flows_file
from streams.runtime import policies as policies_file
from streams.runtime.document import Document, Node
from streams.runtime.fallbacks import Able, Supports
from streams.runtime.flows import FLOWS, FlowReader, Flows
from streams.runtime.lanes import lanes
from streams.runtime.policies import ORDERING, Policies, PolicyReader

Check = Callable[[Account], None]

_ACCOUNT = {
    "platform",
    "base_url",
    "fallback_url",
    "priority",
    "clock_offset",
    "clock_epoch",
    "settings",
    "secrets",
    "lanes",
}
_TOP = {"tenants", "policies", "ordering", "max_future_skew", "mass_delete", "grave_days", FLOWS}


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says. `accounts`: by (tenant, account id); `lanes`: of those that say something of them."""

    accounts: Mapping[tuple[str, str], Account]
    rules: Rules
    lanes: Mapping[tuple[str, str], Lanes] = field(default_factory=dict)

    def lanes_of(self, account: Account) -> Lanes:
        """How the account's lanes share its quota, hours of flows included."""
        return self.lanes.get((account.tenant, account.id), Lanes()).with_flows(self.rules.flows)

    def fallbacks_of(self, account: Account) -> Mapping[str, Route]:
        """By flow, where its commands to the account go while that is away; none where the tenant has no such
        account."""
        named = {flow.name: flow.fallback for flow in self.rules.flows if flow.fallback and account.id in flow.to}
        known = {flow: self.accounts.get((account.tenant, name)) for flow, name in named.items()}
        return {flow: Route(one.id, one.platform) for flow, one in known.items() if one is not None}


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
    flows: Path | None = None,
    inline_flows: bool = True,
    reroutable: Supports | None = None,
) -> Config:
    """Read and check the whole file. `supports(platform, type, op)` says whether a destination can write a type,
    `reroutable` whether its commands may go to another account.
    `policies`, `flows`: the files of policies and flows, as in SLUICE_POLICIES_FILE and SLUICE_FLOWS_FILE; by default
    policies.yaml and flows.yaml beside `path`, if they are there. Without `inline` (`inline_flows`) the policies (the
    flows) that stand in the configuration file count for nothing beside it.

    Raises Misconfigured with every problem found, one per line, each with line and path in the file, what is wrong
    and what is allowed. Secrets are read from where they are referenced: those of accounts at the platforms
    `secrets_of` (default: all), none when `with_secrets` is False; one that is not read is the empty text, which no
    signature fits. `check` looks into the settings of an account and raises Misconfigured.
    """
    readable = frozenset((platforms if secrets_of is None else secrets_of) if with_secrets else ())
    environ = os.environ if environ is None else environ
    able = Able(supports, reroutable)
    return _Reader(Document(path), platforms, able, environ, readable, check).read(
        _Part(policies or policies_file.beside(path), inline), _Part(flows or flows_file.beside(path), inline_flows)
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A part that may stand in a file of its own; with `inline` it must not stand in the configuration file as well."""

    path: Path | None
    inline: bool


class _Reader:
    def __init__(
        self,
        document: Document,
        platforms: Collection[str],
        able: Able,
        environ: Mapping[str, str],
        secrets_of: frozenset[str],
        check: Check | None,
    ) -> None:
        self._doc = document
        self._platforms = platforms
        self._able = able
        self._environ = environ
        self._secrets_of = secrets_of
        self._check = check
        self._accounts: dict[tuple[str, str], Account] = {}
        self._lanes: dict[tuple[str, str], Lanes] = {}
        self._policies = PolicyReader(document, ())
        self._others: list[Document] = []

    def read(self, policies: _Part, flows: _Part) -> Config:
        """The whole configuration."""
        top = self._doc.mapping(self._doc.root, _TOP, required=["tenants"])
        if "tenants" in top:
            self._tenants(top["tenants"])
        self._policies = PolicyReader(self._doc, {account for _, account in self._accounts})
        read = self._of_file(policies.path, top, inline=policies.inline) if policies.path else self._of_part(top)
        moved = self._flows(flows, top, read)
        rules = Rules(
            revision=read.revision,
            policies=read.policies,
            ordering=read.ordering,
            flows=moved.flows,
            flows_revision=moved.revision,
            max_future_skew=self._doc.number(top["max_future_skew"], 0.0) if "max_future_skew" in top else 300.0,
            mass_delete=self._brake(top["mass_delete"]) if "mass_delete" in top else Brake(),
            grave_days=self._doc.integer(top["grave_days"], 1) if "grave_days" in top else 100,
        )
        self._doc.problems += [problem for own in self._others for problem in own.problems]
        self._doc.finish()
        return Config(self._accounts, rules, self._lanes)

    def _other(self, own: Document) -> Document:
        """A file beside, whose problems are told behind those of this one."""
        self._others.append(own)
        return own

    def _of_part(self, top: Mapping[str, Node]) -> Policies:
        ordering = self._policies.orderings(top[ORDERING]) if ORDERING in top else {}
        return self._policies.part(top["policies"], ordering) if "policies" in top else Policies(ordering=ordering)

    def _of_file(self, path: Path, top: Mapping[str, Node], *, inline: bool) -> Policies:
        own = self._other(policies_file.document(path))
        found = PolicyReader(own, {account for _, account in self._accounts}).file()
        said_there = ["policies", *([ORDERING] if found.ordering else [])]
        for part in (part for part in said_there if inline and part in top):
            self._twice(top[part], path, "SLUICE_POLICIES_FILE", policies_file.FILE)
        if found.ordering or ORDERING not in top:
            return found
        return replace(found, ordering=self._policies.orderings(top[ORDERING]))

    def _flows(self, part: _Part, top: Mapping[str, Node], policies: Policies) -> Flows:
        if part.path is None:
            reader = FlowReader(self._doc, self._accounts, self._able, policies.policies)
            return reader.part(top[FLOWS]) if FLOWS in top else Flows()
        if part.inline and FLOWS in top:
            self._twice(top[FLOWS], part.path, "SLUICE_FLOWS_FILE", flows_file.FILE)
        own = self._other(flows_file.document(part.path))
        return FlowReader(own, self._accounts, self._able, policies.policies).file()

    def _twice(self, node: Node, path: Path, variable: str, name: str) -> None:
        self._doc.problem(
            node,
            f"stands in {path} too; remove this part, or that file (what {variable} names, else {name} beside this "
            "one)",
        )

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
            fallback_url=self._base_url(keys["fallback_url"]) if "fallback_url" in keys else "",
        )
        if "lanes" in keys:
            self._lanes[tenant, id] = lanes(self._doc, keys["lanes"])
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
