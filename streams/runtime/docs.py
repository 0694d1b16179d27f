"""Makes docs/settings.md and docs/metrics.md from their catalogues: `python -m streams.runtime.docs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from connectors.kit.metrics import CATALOGUE, Histogram, Metric
from streams.runtime.settings import FILE_VARIABLE, Settings, allowed, is_secret, variable

FOLDER = Path(__file__).parents[2] / "docs"
_MADE = "<!-- Made by `sluice config docs`; change the catalogue, not this page. -->"

_SETTINGS_HEAD = f"""# Settings

{_MADE}

Read once when a process starts. A variable wins over the YAML file named by `{FILE_VARIABLE}` (keys are the variables'
names without prefix, in lower case), the file over the default. An empty variable counts as not set. `sluice config
show` prints what a process would use and where each value comes from; `sluice config check` says what is wrong.
"""

_FILE_PART = """
## The configuration file

Accounts and rules stand in the file that `SLUICE_CONFIG_FILE` names.

```yaml
tenants:
  acme:
    accounts:
      shop-de:
        platform: shopify
        base_url: https://acme-de.myshopify.com
        priority: 10          # lower wins a tie of last-writer-wins; default 100
        clock_offset: 0.0     # seconds this account's clock is ahead of ours
        settings:             # the platform's own
          currency: EUR
          locations: "655441491=MAIN"
        lanes:                # how urgent and other work share the account's quota
          floors: {normal: 0.2, bulk: 0.1}  # least shares while there is such work; high has what they leave
          hours: {bulk: "22:00-06:00"}      # when a lane may be used; without: always
          timezone: Europe/Paris            # whose clock hours are meant by; default UTC
        secrets:              # newest first; all are accepted during a rotation
          webhook: ["env:SHOPIFY_SECRET", "file:/run/secrets/shopify-old"]
          access_token: ["env:SHOPIFY_TOKEN"]
      shop-ps:
        platform: prestashop
        base_url: https://acme.example
        secrets:
          webservice_key: ["env:PRESTASHOP_KEY"]
policies:
  revision: 1                 # raise it with every change; decisions name it
  price: {kind: lww}          # latest corrected source time, then account priority, then account id
  inventory_level: {kind: owner, owners: [shop-ps, shop-de]}  # the first that has spoken
  order: {kind: single}       # one origin
ordering:
  default: {mode: time, lateness: 2.0}  # seconds the watermark stays behind
  price: {mode: arrival}      # time, contiguous or arrival
max_future_skew: 300          # seconds; a version further ahead of its receive time is quarantined
flows:
  stock: {entity: inventory_level, to: [shop-de, shop-ps], fields: [available], lane: high}
  price: {entity: price, to: [shop-ps], fields: [amount], lane: normal}
```

A secret is a reference: `env:NAME`, `file:/path` (its last line break is dropped) or, for development, `value:TEXT`.
"""


def settings_page() -> str:
    """docs/settings.md."""
    lines = [_SETTINGS_HEAD, "| variable | default | allowed | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        secret = " **Secret.**" if is_secret(field) else ""
        cells = [f"`{variable(name)}`", _default(field.default), _code(allowed(field)), f"{field.description}{secret}"]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n" + _FILE_PART


def metrics_page() -> str:
    """docs/metrics.md."""
    head = f"# Metrics\n\n{_MADE}\n\nEvery role serves them at `/metrics`. Times are in seconds.\n"
    lines = [head, "| metric | kind | labels | meaning | what to do |", "|---|---|---|---|---|"]
    lines += [
        _row([f"`{one.name}`", _kind(one), ", ".join(one.labels), one.doc, one.remedy])
        for one in sorted(CATALOGUE, key=lambda one: one.name)
    ]
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page}


def write(folder: Path) -> list[Path]:
    """Write all pages; returns those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = stale(folder)
    for path in changed:
        path.write_text(PAGES[path.name](), encoding="utf-8")
    return changed


def stale(folder: Path) -> list[Path]:
    """Pages that are missing or differ from their catalogue."""
    paths = [(folder / name, make) for name, make in PAGES.items()]
    return [path for path, make in paths if not path.is_file() or path.read_text(encoding="utf-8") != make()]


def _default(value: Any) -> str:
    shown = getattr(value, "get_secret_value", lambda: value)()
    return "" if shown in (None, "", PydanticUndefined) else f"`{shown}`"


def _kind(metric: Metric) -> str:
    if not isinstance(metric, Histogram):
        return metric.kind
    return f"histogram to {metric.buckets[-1]:g} s"


def _code(text: str) -> str:
    """A pattern or a bound is code, a list of words is not."""
    return f"`{text}`" if any(sign in text for sign in "<>^") else text


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


if __name__ == "__main__":
    for page in write(FOLDER):
        sys.stdout.write(f"written {page}\n")
