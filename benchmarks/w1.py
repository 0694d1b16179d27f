"""W1: signed webhooks over HTTP, each durable on the broker (acks=all) before its 200, through one receiver process.

The figure is CPU (user + system) of the receiver's process tree between the end of a warm-up and the last answer; the
load comes from another process, which is not charged. Latencies are those of a closed loop of CONNECTIONS: about
connections / rate. Nothing is reported for a wrong answer: the oracle reads the raw topic back and wants every
delivery that got a 200 once, byte for byte, and none that was forged.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson

from benchmarks import deliveries
from benchmarks.deliveries import ACCOUNT, SECRET, SHOP_DOMAIN, TENANT
from benchmarks.measure import listener, per_million, usage
from benchmarks.process import role
from schemas import topics
from schemas.codec import Codec
from schemas.registry import open_codec
from schemas.topics import PROFILES
from streams.runtime.raw import from_record
from streams.runtime.topicreader import TopicReader
from streams.stack.ports import free_ports
from streams.testing.http import get
from streams.testing.prepare import prepare

CONFIG = f"""
tenants:
  {TENANT}:
    accounts:
      {ACCOUNT}:
        platform: shopify
        base_url: "http://127.0.0.1:1"
        settings: {{shop_domain: {SHOP_DOMAIN}, currency: EUR}}
        secrets: {{webhook: ["value:{SECRET}"]}}
"""
CONNECTIONS = 64
FORGERIES = 20
READY_TIMEOUT = 30.0  # seconds


def run(bootstrap: str, registry: str, requests: int) -> dict[str, Any]:
    """One run. A tenth more requests, at most 10,000, come before and are not counted."""
    prefix = f"w1-{int(time.time() * 1000)}."
    warm_up = min(10_000, max(CONNECTIONS, requests // 10))
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        place, port = Path(folder), free_ports(1)[0]
        (place / "sluice.yaml").write_text(CONFIG)
        prepare(bootstrap, registry, prefix, PROFILES["development"])
        environment = {
            "SLUICE_BOOTSTRAP": bootstrap, "SLUICE_REGISTRY": registry, "SLUICE_TOPIC_PREFIX": prefix,
            "SLUICE_CONFIG_FILE": str(place / "sluice.yaml"), "SLUICE_SCHEMA_CACHE": str(place / "schemas"),
            "SLUICE_INSTANCE_ID": "bench", "SLUICE_HTTP_HOST": "127.0.0.1", "SLUICE_RECEIVER_HTTP_PORT": str(port),
        }  # fmt: skip
        with role("receiver", place, environment) as pid:
            _await_ready(port)
            with _volley(port, requests + warm_up, warm_up) as load:
                warmed = _fired(load)
                measured, answers = _measure(load, pid, bootstrap, requests)
            forged = [_forge(port, -1 - number) for number in range(FORGERIES)]
        statuses = Counter(warmed["statuses"]) + Counter(answers["statuses"])
        codec = open_codec(registry, place / "schemas")
        checked = _oracle(bootstrap, prefix, codec, requests + warm_up, statuses, forged)
    verdict = {"workload": "W1", "events": requests, "connections": CONNECTIONS, **checked}
    return {**verdict, **measured} if checked["oracle"] == "pass" else verdict


def _measure(
    load: subprocess.Popen[bytes], pid: int, bootstrap: str, requests: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    broker = listener(int(bootstrap.rsplit(":", 1)[-1]))
    broker_before = usage(broker).cpu if broker else 0.0
    before = usage(pid).cpu
    answers = _fired(load)
    after = usage(pid)
    measured = {
        "cpu_s_per_million": per_million(after.cpu - before, requests),
        "broker_cpu_s_per_million": per_million(usage(broker).cpu - broker_before, requests) if broker else None,
        "wall_rate": round(requests / answers["seconds"]),
        "p50_ms": answers["p50_ms"],
        "p99_ms": answers["p99_ms"],
        "rss_mib": round(after.rss_mib),
    }
    return measured, answers


@contextmanager
def _volley(port: int, count: int, warm_up: int) -> Iterator[subprocess.Popen[bytes]]:
    """The load generator, everything signed."""
    numbers = [str(number) for number in (port, CONNECTIONS, 0, count, warm_up)]
    argv = [sys.executable, "-m", "benchmarks.volley", *numbers]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as load:
        assert load.stdout is not None
        load.stdout.readline()
        yield load


def _fired(load: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Let it fire once. Raises RuntimeError when it ended."""
    assert load.stdin is not None
    assert load.stdout is not None
    load.stdin.write(b"fire\n")
    load.stdin.flush()
    line = load.stdout.readline()
    if not line:
        raise RuntimeError("the load generator ended before it had sent everything; see its error output above")
    return dict(orjson.loads(line))


def _await_ready(port: int) -> None:
    deadline = time.monotonic() + READY_TIMEOUT
    while get(f"http://127.0.0.1:{port}/readyz", parse=False) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the receiver is not ready after {READY_TIMEOUT:.0f} s; SLUICE_BENCH_LOGS=1 shows why")
        time.sleep(0.1)


def _forge(port: int, number: int) -> int:
    """The status a delivery gets that is signed with another secret."""
    forgery = deliveries.signed(abs(number), "not-the-secret")
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    head = {
        "X-Shopify-Topic": deliveries.TOPIC, "X-Shopify-Shop-Domain": SHOP_DOMAIN,
        "X-Shopify-Webhook-Id": f"forged-{number}", "X-Shopify-Hmac-Sha256": forgery.signature.decode(),
    }  # fmt: skip
    try:
        connection.request("POST", deliveries.PATH, deliveries.body(forgery.number), head)
        return connection.getresponse().status
    finally:
        connection.close()


def _oracle(
    bootstrap: str, prefix: str, codec: Codec, count: int, statuses: Counter[str], forged: list[int]
) -> dict[str, Any]:
    """What the raw topic holds against what was answered."""
    reader = TopicReader({"bootstrap.servers": bootstrap}, prefix)
    known = {deliveries.delivery_id(number): number for number in range(count)}
    missing = set(known)
    repeated = altered = strange = 0
    for record in reader.read(topics.raw("shopify")):
        envelope = from_record(codec.decode(record.value or b"")).envelope
        number = known.get(envelope.delivery_id)
        if number is None:
            strange += 1
            continue
        repeated += envelope.delivery_id not in missing
        missing.discard(envelope.delivery_id)
        altered += envelope.body != deliveries.body(number)
    reader.close()
    counts = {
        "not_200": count - statuses["200"],
        "lost": len(missing),
        "altered": altered,
        "duplicates": repeated,
        "not_sent_by_us": strange,
        "forgeries_not_refused": sum(status != 401 for status in forged),
    }
    return {**counts, "oracle": "fail" if any(counts.values()) else "pass"}
