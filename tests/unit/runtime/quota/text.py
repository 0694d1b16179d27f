"""What a terminal would show."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, RenderableType


def shown(what: RenderableType) -> str:
    """As plain text, wide enough for everything."""
    file = StringIO()
    Console(file=file, width=240, no_color=True).print(what)
    return file.getvalue()
