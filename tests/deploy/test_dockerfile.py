"""The image: small, without root, without tools, stopped by SIGTERM. There is no engine here: the text is checked."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch

import pytest

from tests.deploy.manifests import ROOT, containers, pod_templates

Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """(keyword, rest) of every instruction; continued lines are joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines()]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for keyword, rest in instructions():
        if keyword == "FROM":
            found.append([])
        found[-1].append((keyword, rest))
    return found


def of(keyword: str, stage: list[Instruction]) -> list[str]:
    return [rest for known, rest in stage if known == keyword]


def test_every_instruction_is_one_that_docker_knows() -> None:
    known = {
        "FROM",
        "ARG",
        "LABEL",
        "RUN",
        "COPY",
        "ENV",
        "USER",
        "WORKDIR",
        "EXPOSE",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "CMD",
    }
    assert {keyword for keyword, _ in instructions()} <= known


def test_stages_start_from_the_same_pinned_image() -> None:
    images = {rest.split()[0] for stage in stages() for rest in of("FROM", stage)}
    assert len(stages()) == 2
    assert len(images) == 1
    assert re.fullmatch(r"python:3\.11[.\d]*-slim(-[a-z]+)?", images.pop())


def test_the_process_is_not_root_under_the_uid_of_the_manifests() -> None:
    users = {t["spec"]["securityContext"]["runAsUser"] for _, t in pod_templates("base")}
    groups = {t["spec"]["securityContext"]["runAsGroup"] for _, t in pod_templates("base")}
    (user,) = of("USER", stages()[-1])
    assert re.fullmatch(r"\d+:\d+", user)
    assert user == f"{users.pop()}:{groups.pop()}"


def test_signals_reach_the_process_itself() -> None:
    assert [json.loads(rest) for rest in of("ENTRYPOINT", stages()[-1])] == [["sluice"]]
    assert of("STOPSIGNAL", stages()[-1]) == ["SIGTERM"]


def test_nothing_is_installed_into_the_finished_image() -> None:
    runs = " ".join(of("RUN", stages()[-1]))
    assert not re.search(r"\b(apt-get|apk|curl|wget|pip3? install|gcc|make)\b", runs)
    assert "pip uninstall" in runs
    assert all(rest.startswith("--from=build ") for rest in of("COPY", stages()[-1]))


def test_the_port_that_the_image_names_is_the_one_that_takes_webhooks() -> None:
    (receiver,) = (t for name, t in pod_templates("base") if name == "Deployment/receiver")
    assert of("EXPOSE", stages()[-1]) == [str(containers(receiver)[0]["ports"][0]["containerPort"])]


def test_the_image_says_what_it_is() -> None:
    labels = " ".join(of("LABEL", stages()[-1]))
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


def copied() -> list[str]:
    return [name for rest in of("COPY", stages()[0]) for name in rest.split()[:-1]]


@pytest.mark.parametrize("name", copied())
def test_a_copied_file_exists_and_is_not_ignored(name: str) -> None:
    assert (ROOT / name).exists()
    assert f"!{name}" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_all_packages_of_the_wheel_are_copied() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (included,) = re.findall(r"packages\.find\]\ninclude = (\[.+\])", text)
    packages = {name for name in copied() if (ROOT / name).is_dir()}
    assert all(any(fnmatch(name, pattern) for pattern in json.loads(included)) for name in packages)
    assert len(packages) == len(json.loads(included))


def test_nothing_is_sent_to_the_engine_that_is_not_named() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
