"""Lines of code: what is neither blank nor comment nor docstring."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

_SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_JAVA_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def count(path: Path) -> int:
    """Of a Python or Java file. Raises OSError, and ValueError for another kind."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return python(text)
    if path.suffix == ".java":
        return java(text)
    raise ValueError(f"{path} is neither Python nor Java")


def python(text: str) -> int:
    """Lines with a token that does something; a string that stands alone (a docstring) does nothing."""
    lines: set[int] = set()
    before = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        alone = token.type == tokenize.STRING and before in _SILENT
        if token.type not in _SILENT and not alone:
            lines.update(range(token.start[0], token.end[0] + 1))
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            before = token.type
    return len(lines)


def java(text: str) -> int:
    """Comments are found by their marks alone: a string that holds such a mark would be cut."""
    return plain(_JAVA_COMMENT.sub("", text))


def plain(text: str) -> int:
    """Lines that are neither blank nor begin with #, as in YAML."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.splitlines())
