"""What the bundle costs and how far it carries, measured. `python -m benchmarks`."""

from __future__ import annotations

import sys
from pathlib import Path

# The layer's import names, as in Lambda, whoever runs this package and from wherever.
_LAYER = str(Path(__file__).parent.parent / "layers" / "shared")
if _LAYER not in sys.path:
    sys.path.insert(0, _LAYER)
