"""What `import torchmle` costs above torch and pandas, in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from harness.timing import Answer, Case, Peer

import torchmle as tm

from .setting import Setting, needs, optional

CODE = """
import sys, time
sys.path.insert(0, {root!r})
import pandas, torch
started = time.perf_counter()
import {module}
print(time.perf_counter() - started)
"""


def importing(module: str) -> Callable[[], Answer]:
    def run() -> Answer:
        code = CODE.format(root=str(Path(tm.__file__).parents[1]), module=module)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return Answer(np.zeros(1), np.ones(1), amount=float(done.stdout))

    return run


def cases(setting: Setting) -> Iterator[Case]:
    peer = "statsmodels.formula.api"
    yield Case(
        "import, above import torch and import pandas",
        importing("torchmle"),
        (Peer(peer, needs(optional(peer), importing(peer)), 0.0),),
        unit="s",
        limit=0.6,
    )
