from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas import admin, gate
from schemas.codec import load
from schemas.plan import Change, Existing, Grow, Plan
from schemas.registry import MemoryRegistry, RegistryUnavailable
from schemas.topics import CATALOGUE, PROFILES
from streams.cli.main import main
from streams.runtime.settings import Settings
from streams.runtime.settings import load as load_settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_check_passes_and_says_what_it_looked_at() -> None:
    result = run("schemas", "check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "schemas keep what" in result.stdout


def test_check_fails_with_the_command_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gate.problems, "__defaults__", (tmp_path,))
    result = run("schemas", "check")
    assert result.exit_code == 1
    assert "price: has no history; run `sluice schemas freeze`" in result.stderr


def test_freeze_names_the_files_to_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "schemas" / "history"
    monkeypatch.setattr(gate, "HISTORY", folder)
    monkeypatch.setattr(gate.freeze, "__defaults__", (folder,))
    assert "frozen: schemas/history/api_call/0001.avsc; commit it" in run("schemas", "freeze").stdout
    assert run("schemas", "freeze").stdout == "no schema was changed since it was frozen\n"


def test_freeze_refuses_what_breaks_a_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = load("price")
    broken = schema | {"fields": [*schema["fields"], {"name": "added", "type": "int", "doc": "Added."}]}
    monkeypatch.setattr(gate, "load", lambda name: broken if name == "price" else load(name))
    result = run("schemas", "freeze")
    assert result.exit_code == 1
    assert "FULL_TRANSITIVE is broken" in result.stderr


def test_show_prints_the_self_contained_schema() -> None:
    assert json.loads(run("schemas", "show", "price").stdout) == load("price")


def test_show_of_an_unknown_name_says_which_there_are() -> None:
    result = run("schemas", "show", "prices")
    assert result.exit_code == 1
    assert "inventory_level" in result.stderr


def test_list_shows_every_schema_with_its_promise_and_subjects() -> None:
    lines = run("schemas", "list", "--prefix", "dev.").stdout.splitlines()
    price = next(line for line in lines if line.startswith("price "))
    assert price.split()[1:] == [
        "FULL_TRANSITIVE",
        "1",
        "sluice.Price",
        "dev.state.price.v1-value",
        "dev.events.price.v1-value",
    ]


def test_register_says_what_was_written_and_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = MemoryRegistry()
    monkeypatch.setattr("streams.cli.schemas.HttpRegistry", lambda url, timeout: registry)
    first = run("schemas", "register")
    assert first.exit_code == 0
    assert {line.split()[0] for line in first.stdout.splitlines()} == {"written"}
    assert {line.split()[0] for line in run("schemas", "register").stdout.splitlines()} == {"there"}


def test_register_at_a_registry_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(url: str, timeout: float) -> Any:
        raise RegistryUnavailable(f"{url} does not answer")

    monkeypatch.setattr("streams.cli.schemas.HttpRegistry", away)
    result = run("schemas", "register", "--registry", "http://nowhere")
    assert (result.exit_code, result.stderr) == (1, "Error: http://nowhere does not answer\n")


def test_nothing_is_registered_that_check_would_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = MemoryRegistry()
    monkeypatch.setattr("streams.cli.schemas.HttpRegistry", lambda url, timeout: registry)
    monkeypatch.setattr(gate, "problems", lambda: ["price: broken"])
    assert run("schemas", "register").exit_code == 1
    assert registry.schema(1) is None


class Cluster:
    """Stands for `schemas.admin` in the command; holds what the broker has and what was applied."""

    TopicError = admin.TopicError

    def __init__(self, topics: dict[str, Existing]) -> None:
        self.topics = topics
        self.applied: list[Plan] = []
        self.asked: dict[str, Any] = {}

    def open_admin(self, settings: Settings) -> None:
        self.asked = settings.librdkafka()

    def existing_topics(self, client: None, configured: list[str]) -> dict[str, Existing]:
        return self.topics

    def apply(self, client: None, plan: Plan) -> None:
        if plan.refusals:
            raise admin.TopicsMismatch("refused")
        self.applied.append(plan)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    profile = PROFILES["development"]
    topics = {
        f"sluice.{topic.name}": Existing(profile.partitions(topic.sizing), 1, topic.config(profile))
        for topic in CATALOGUE.values()
    }
    found = Cluster(topics)
    monkeypatch.setattr("streams.cli.topics.broker", found)
    monkeypatch.setattr("streams.cli.topics.open_admin", found.open_admin)
    return found


def test_verify_passes_on_a_cluster_as_the_catalogue_says(cluster: Cluster) -> None:
    assert run("topics", "verify").exit_code == 0


def test_verify_fails_on_a_missing_topic_and_plan_only_tells(cluster: Cluster) -> None:
    del cluster.topics["sluice.xref.v1"]
    assert run("topics", "verify").exit_code == 1
    told = run("topics", "plan")
    assert (told.exit_code, told.stdout) == (0, "create  sluice.xref.v1: 3 partitions, 1 replicas\n")
    assert cluster.applied == []


def test_apply_creates_without_asking(cluster: Cluster) -> None:
    del cluster.topics["sluice.xref.v1"]
    result = run("topics", "apply")
    assert result.exit_code == 0
    assert result.stdout.endswith("applied: 1 topics created, 0 settings changed\n")


def test_apply_changes_what_exists_only_with_yes(cluster: Cluster) -> None:
    cluster.topics["sluice.calls.v1"] = Existing(6, 1, {})
    refused = run("topics", "apply")
    assert refused.exit_code == 1
    assert "--yes" in refused.stderr
    assert cluster.applied == []
    assert run("topics", "apply", "--yes").exit_code == 0
    assert {type(change) for change in cluster.applied[0].changes} == {Change}


def test_apply_never_grows_keyed_topics_not_even_with_yes(cluster: Cluster) -> None:
    result = run("topics", "apply", "--yes", "--profile", "production")
    assert result.exit_code == 1
    assert "refused sluice.inbound.v1: 6 -> 24 partitions" in result.stdout
    assert cluster.applied == []
    assert Grow("x", 1, 2, "key").refused


def test_options_come_from_the_environment_too(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TOPIC_PREFIX", "other.")
    assert "create  other.xref.v1: 3 partitions, 1 replicas" in run("topics", "plan").stdout
    monkeypatch.setenv("SLUICE_PROFILE", "production")
    assert "create  other.xref.v1: 12 partitions, 3 replicas" in run("topics", "plan").stdout


def test_brokers_are_reached_as_the_roles_reach_them(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PROTOCOL": "SASL_SSL", "USERNAME": "sluice", "PASSWORD": "p", "CA_FILE": "/ca.pem"}.items():
        monkeypatch.setenv(f"SLUICE_BROKER_{name}", value)
    monkeypatch.setenv("SLUICE_BOOTSTRAP", "there:1")
    assert run("topics", "verify").exit_code == 0
    assert cluster.asked == load_settings().librdkafka()
    assert (cluster.asked["bootstrap.servers"], cluster.asked["sasl.username"]) == ("there:1", "sluice")
    assert run("topics", "verify", "--bootstrap", "here:2").exit_code == 0
    assert (cluster.asked["bootstrap.servers"], cluster.asked["ssl.ca.location"]) == ("here:2", "/ca.pem")


def test_a_wrong_setting_is_a_sentence(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_BROKER_PROTOCOL", "SASL_SSL")
    refused = run("topics", "plan")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: SLUICE_BROKER_PROTOCOL is a SASL one")


def test_the_catalogue_is_listed_without_a_broker() -> None:
    lines = run("topics", "list", "--prefix", "dev.").stdout.splitlines()
    assert len(lines) == len(CATALOGUE)
    assert any(line.split()[:3] == ["dev.decisions.v1", "6", "30"] for line in lines)
    assert any(line.split()[:3] == ["dev.xref.v1", "3", "compact"] for line in lines)
