"""The jars of Kafka and of the registry: fetched once by Maven into a cache that is keyed by version."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template

from streams.stack.errors import FetchFailed, MavenMissing
from streams.stack.kafka import template
from streams.stack.layout import KAFKA_VERSION, LOG4J_VERSION, REGISTRY_VERSION, SCALA_VERSION
from streams.stack.locks import file_lock

KAFKA_KEY = f"kafka_{SCALA_VERSION}-{KAFKA_VERSION}-log4j-{LOG4J_VERSION}"
REGISTRY_KEY = f"apicurio-registry-{REGISTRY_VERSION}"

# Pinned: what a Maven installation takes without a version depends on how old it is.
DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Jars:
    """Two folders: the class path of Kafka, and the registry with its `quarkus-run.jar`."""

    kafka: Path
    registry: Path


def ensure_jars(cache: Path, report: Report) -> Jars:
    """Both folders, from the cache when they are there."""

    def fill_kafka(folder: Path) -> None:
        report(f"fetching Kafka {KAFKA_VERSION} from Maven Central (55 MB, once)")
        fetch_kafka(folder, cache)

    def fill_registry(folder: Path) -> None:
        report(f"fetching Apicurio Registry {REGISTRY_VERSION} from Maven Central (160 MB, once)")
        fetch_registry(folder, cache)

    return Jars(cached(cache, KAFKA_KEY, fill_kafka), cached(cache, REGISTRY_KEY, fill_registry))


def cached(cache: Path, key: str, fill: Callable[[Path], None]) -> Path:
    """The folder `key` of the cache. If it exists it is complete: it is filled elsewhere and renamed at the end."""
    final = cache / key
    if final.is_dir():
        return final
    with file_lock(cache / f"{key}.lock"):
        if final.is_dir():  # another process filled it while we waited
            return final
        for leftover in cache.glob(f".{key}.*"):  # of a process that died; we hold the lock, so nobody writes there
            shutil.rmtree(leftover)
        draft = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=cache))
        try:
            fill(draft)
            draft.rename(final)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return final


def pom() -> str:
    """The text of the pom.xml that names Kafka's jars."""
    return Template(template("pom.xml")).substitute(
        scala_version=SCALA_VERSION, kafka_version=KAFKA_VERSION, log4j_version=LOG4J_VERSION
    )


def fetch_kafka(folder: Path, cache: Path) -> None:
    """Kafka and all it depends on, as jars side by side."""
    with tempfile.TemporaryDirectory() as workdir:
        project = Path(workdir, "pom.xml")
        project.write_text(pom(), encoding="utf-8")
        goal = [f"{DEPENDENCY_PLUGIN}:copy-dependencies", f"-DoutputDirectory={folder}"]
        _maven(["--file", str(project), *goal], what=f"Kafka {KAFKA_VERSION}", cache=cache)
    _expect(folder, f"kafka_{SCALA_VERSION}-{KAFKA_VERSION}.jar")


def fetch_registry(folder: Path, cache: Path) -> None:
    """The registry's archive, unpacked."""
    with tempfile.TemporaryDirectory() as workdir:
        artifact = f"io.apicurio:apicurio-registry-app:{REGISTRY_VERSION}:tar.gz:all"
        goal = [f"{DEPENDENCY_PLUGIN}:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={workdir}"]
        _maven(goal, what=f"Apicurio Registry {REGISTRY_VERSION}", cache=cache, cwd=Path(workdir))
        for archive in Path(workdir).glob("*.tar.gz"):
            shutil.unpack_archive(archive, folder, filter="data")
    _expect(folder, "quarkus-run.jar")


def _maven(arguments: list[str], *, what: str, cache: Path, cwd: Path | None = None) -> None:
    """Run Maven; strict checksums, because by default it only warns about a damaged download."""
    maven = shutil.which("mvn")
    if maven is None:
        raise MavenMissing(cache)
    command = [maven, "--batch-mode", "--quiet", "--strict-checksums", *arguments]
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise FetchFailed(what, "\n".join(done.stdout.splitlines()[-15:]))


def _expect(folder: Path, name: str) -> None:
    """A fetch that succeeded without the one jar we start would be cached for ever."""
    if not (folder / name).is_file():
        raise FetchFailed(name, f"Maven reported success, but {name} did not arrive.")
