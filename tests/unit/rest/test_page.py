"""The page about REST platforms shows what runs."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "rest.md"


def test_the_example_of_the_page_runs() -> None:
    shown = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    example = doctest.DocTestParser().get_doctest(shown, {}, PAGE.name, str(PAGE), 0)
    result = doctest.DocTestRunner().run(example)
    assert (result.failed, result.attempted > 10) == (0, True)
