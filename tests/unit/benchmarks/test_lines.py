"""How lines of code are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers.lines import count, java, plain, python

PYTHON = '''"""Module docstring,
two lines."""

import os  # counts once


def call(name: str) -> str:
    """Docstring."""
    # a comment
    text = """not a docstring,
    two lines"""
    return os.path.join(
        name,

        text,
    )
'''
JAVA = """/** What
 * it is. */
class A {

    // a comment
    int b = 1; // counts
}
"""


def test_python_counts_neither_comments_nor_docstrings_nor_blank_lines() -> None:
    assert python(PYTHON) == 8


def test_java_counts_neither_comments_nor_blank_lines() -> None:
    assert java(JAVA) == 3


def test_yaml_counts_neither_comments_nor_blank_lines() -> None:
    assert plain("\n# comment\na: 1\n  # comment\nb: 2\n") == 2


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "peer.rs"
    other.write_text("fn main() {}")
    with pytest.raises(ValueError, match="neither Python nor Java"):
        count(other)
