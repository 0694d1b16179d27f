"""Revisions as vendors name them, and the writes that are meant for one of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.testing import response
from connectors.rest.conditions import strong
from tests.unit.rest.support import ACCOUNT, API, WRITE

NAMING = replace(API, etag_field=("meta", "etag"))


def named(value: Any) -> dict[str, Any]:
    """A record that names its revision."""
    return {"id": 1, "meta": {"etag": value}}


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ('"abc"', '"abc"'),
        ('""', '""'),
        ("abc", '"abc"'),
        (7, '"7"'),
        (0, '"0"'),
        ('W/"abc"', ""),
        ("W/abc", ""),
        ("", ""),
        (None, ""),
        (True, ""),
        (1.5, ""),
        (["a"], ""),
        ('a"b', ""),
        ('"a" "b"', ""),
        ('"a"\r\nx-admin: 1', ""),
    ],
)
def test_a_revision_is_a_strong_tag_or_none(value: Any, tag: str) -> None:
    assert strong(value) == tag


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()))
def test_whatever_a_vendor_names_fits_into_a_header_and_is_named_once(value: Any) -> None:
    tag = strong(value)
    assert tag == "" or re.fullmatch(r'"[!#-~]*"', tag)
    assert strong(tag) == tag


@given(st.integers(), st.integers())
def test_different_revisions_have_different_tags(one: int, other: int) -> None:
    assert (strong(one) == strong(other)) == (one == other)


def test_a_write_that_is_meant_for_a_revision_says_so() -> None:
    meant = API.send(ACCOUNT, "PUT", "/things/{id}", "write_thing", {"n": 1}, "op-1", if_match='"7"', id="7")
    assert meant.headers == {**WRITE.headers, "if-match": '"7"'}
    assert (meant.body, meant.key, meant.path) == (WRITE.body, WRITE.key, WRITE.path)
    assert "if-match" not in WRITE.headers


def test_a_revision_stands_in_the_record_or_in_the_header_of_its_own_read() -> None:
    alone = response(200, b"{}", etag='"head"')
    assert NAMING.etag(named("rev")) == '"rev"'
    assert NAMING.etag(named("rev"), alone) == '"rev"'
    assert NAMING.etag(named(None), alone) == '"head"'
    assert NAMING.etag({"id": 1}) == ""
    assert API.etag(named("rev"), alone) == '"head"'
    assert API.etag(named("rev"), response(200, b"{}", etag='W/"head"')) == ""
    assert API.etag(named("rev"), response()) == ""
