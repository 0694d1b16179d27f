"""Makes partition_vectors.json by running Kafka's own Java code on a few hundred keys.

    java=<a JDK of 17 or newer> python tests/data/partition_vectors.py <folder with kafka-clients-4.3.0.jar>

`sluice stack up` leaves that folder in its cache. Keys come from a fixed seed, so a second run gives the same file.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from schemas.entities import EntityType
from schemas.identity import GoldenKey, composite, join

HERE = Path(__file__).parent
COUNTS = (1, 3, 6, 12, 24, 97)
ALPHABETS = ("abcXYZ0189-_.", "äöüßéñçŁ", "日本語中文한국어", "😀🦄👩\u200d👩\u200d👧", "אבגدهو", " |%~/\\\"'\0\n\t")


def keys() -> list[bytes]:
    """Kafka's own test strings, every length from 0 to 40, unicode, random bytes, golden roots and account keys."""
    chance = random.Random(20260101)
    known = [b"21", b"foobar", b"a-little-bit-long-string", b"a-little-bit-longer-string", b"abc"]
    known.append(b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")
    lengths = [bytes(range(65, 65 + length)) for length in range(41)]
    text = ["".join(chance.choices(alphabet, k=chance.randint(1, 30))) for alphabet in ALPHABETS for _ in range(20)]
    noise = [chance.randbytes(chance.randint(0, 64)) for _ in range(80)]
    roots = [GoldenKey("acme", kind, composite(sku, "berlin")).root for kind in EntityType for sku in text[::6]]
    accounts = [join("acme", f"shopify-{number}") for number in range(20)]
    found = [*known, *lengths, *(word.encode() for word in [*text, *roots, *accounts]), *noise]
    return list(dict.fromkeys(found))


def main() -> None:
    java = os.environ.get("java", "java")  # noqa: SIM112 - a variable of this one command
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "keys")
        source.write_text("".join(f"{key.hex()}\n" for key in keys()), encoding="ascii")
        command = [java, "-cp", f"{sys.argv[1]}/*", str(HERE / "PartitionVectors.java"), str(source)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    vectors = []
    for line in answer.splitlines():
        *key, murmur2, a, b, c, d, e, f = line.split(" ")
        vectors.append(
            {"key": "".join(key), "murmur2": int(murmur2), "partitions": [int(n) for n in (a, b, c, d, e, f)]}
        )
    made = "org.apache.kafka:kafka-clients:4.3.0, Utils.murmur2 and BuiltInPartitioner.partitionForKey"
    lines = ",\n".join(f"    {json.dumps(vector)}" for vector in vectors)
    head = f'{{\n  "made_by": "{made}; see partition_vectors.py",\n  "counts": {list(COUNTS)},\n  "vectors": [\n'
    (HERE / "partition_vectors.json").write_text(f"{head}{lines}\n  ]\n}}\n", encoding="ascii")


if __name__ == "__main__":
    main()
