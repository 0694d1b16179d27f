"""The benchmarks are run from the repository and never installed: only `python -m pytest` would find them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))
