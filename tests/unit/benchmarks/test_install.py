"""What the peers' environments are made of."""

from __future__ import annotations

import tomllib

import pytest

from benchmarks.peers.catalogue import NAMES, PEERS, SLUICE
from benchmarks.peers.install import EXTRA, ROOT, NotInstalled, pins


def test_every_peer_of_that_environment_is_pinned_in_the_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"][EXTRA]
    for peer in PEERS.values():
        if peer.runs == "venv":
            assert len(pins(extra, peer.needs)) == len(peer.needs)


def test_a_pin_is_found_by_the_name_of_its_distribution() -> None:
    extra = ["bytewax[kafka]==0.21.1", "cramjam>=2.14"]
    assert pins(extra, ["cramjam", "bytewax"]) == ["cramjam>=2.14", "bytewax[kafka]==0.21.1"]


def test_a_peer_without_a_pin_cannot_be_installed() -> None:
    with pytest.raises(NotInstalled, match="quixstreams is not in the extra 'peers'"):
        pins(["cramjam>=2.14"], ["quixstreams"])


def test_sluice_and_every_peer_have_a_name_to_choose_and_a_program_to_count() -> None:
    assert set(NAMES) == {SLUICE, *PEERS}
    assert all(peer.lines() > 0 for peer in PEERS.values())
