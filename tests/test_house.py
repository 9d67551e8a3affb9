"""Rules of the house that a linter does not know (CONTRIBUTING.md says why they hold)."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import torchmle as tm

PACKAGE = Path(tm.__file__).parent
FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
PRINTING = {"demo.py", "report.py"}  # a script for people; what fit(disp=True) says
each_file = pytest.mark.parametrize("path", FILES.values(), ids=FILES.keys())


def imported_modules(tree):
    """Names of all modules imported anywhere in a file, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


@each_file
def test_peers_are_never_imported(path):
    roots = {name.split(".")[0] for name in imported_modules(ast.parse(path.read_text()))}
    assert not roots & {"statsmodels", "sklearn", "lifelines", "glum"}


@each_file
def test_nothing_is_printed_unasked(path):
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    prints = [call.lineno for call in calls if isinstance(call, ast.Name) and call.id == "print"]
    assert path.name in PRINTING or not prints


@each_file
def test_global_state_of_torch_is_left_alone(path):
    changed = re.findall(r"torch\.(?:manual_seed|set_default_\w+|use_deterministic\w+)\(", path.read_text())
    assert not changed


@each_file
def test_a_file_is_short_enough_to_read(path):
    assert len(path.read_text().splitlines()) <= 400


def imported_at_once(path):
    """Files of the package that a file imports when it is itself imported."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            room = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            # `from . import x` needs the file x, not what the package gathers from its files
            for place in [room / alias.name for alias in node.names] + [room] * bool(node.module):
                yield from {place.with_suffix(".py"), place / "__init__.py"} & set(FILES.values())


def test_imports_have_no_cycles():
    TopologicalSorter({path: set(imported_at_once(path)) for path in FILES.values()}).prepare()


NAMES_ONLY = ("base/model.py", "regression/linear_model.py")  # what is repeated under statsmodels' paths


def room_of(path):
    """The folder below the package that a file is in, or a file of the package itself."""
    inside = path.relative_to(PACKAGE)
    return str(inside) if path.name == "api.py" or inside.as_posix() in NAMES_ONLY else inside.parts[0]


def test_rooms_import_in_one_direction():
    """Folders and files of the package's root; what is imported for type checkers, or inside a function, does not count."""
    rooms = {room_of(path): set() for path in FILES.values()}
    for path in FILES.values():
        rooms[room_of(path)] |= {room_of(other) for other in imported_at_once(path)} - {room_of(path)}
    TopologicalSorter(rooms).prepare()


@pytest.mark.parametrize("room", ["inference", "models", "formula"])
def test_rooms_within_rooms_import_in_one_direction(room):
    """Folders of a room, and the files beside them."""
    inside = [
        path
        for path in FILES.values()
        if path.is_relative_to(PACKAGE / room) and path.name not in ("__init__.py", "api.py")
    ]
    below = {path: path.relative_to(PACKAGE / room).parts[0] for path in inside}
    rooms = {name: set() for name in below.values()}
    for path in inside:
        rooms[below[path]] |= {below[other] for other in imported_at_once(path) if other in below} - {below[path]}
    assert len(rooms) <= 20
    TopologicalSorter(rooms).prepare()


def modules_after(statement):
    code = f"import sys; {statement}; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_nothing_it_does_not_need():
    added = modules_after("import torchmle") - modules_after("import torch, pandas")
    late = ("scipy.stats", "torchmin", "matplotlib", "tqdm", "pyarrow", "polars", "torch.func", "torch.distributed")
    assert not [name for name in added if name.startswith(late)]


def test_runtime_dependencies_are_these_seven():
    required = [line for line in importlib.metadata.requires("torchmle") if "extra ==" not in line]
    names = {re.match(r"[\w-]+", line).group() for line in required}
    assert names == {"torch", "numpy", "pandas", "patsy", "scipy", "pytorch-minimize", "tqdm"}


PUBLIC = [
    *("OLS", "WLS", "Poisson", "ExponentialSurvival", "Normal", "MVNormal", "KaplanMeier", "distribution_model"),
    *("LikelihoodModel", "RegressionModel", "Identity", "Log", "Softplus", "CLogLog", "Inverse", "InverseSquared"),
    *("Sqrt", "Power", "Interval", "Ordered", "Simplex", "CholeskyCovariance", "Correlation", "datasets", "errors"),
    *("formula", "table", "load", "NegativeBinomial", "NegativeBinomialP", "GeneralizedPoisson", "ZeroInflatedPoisson"),
    *("ZeroInflatedNegativeBinomialP", "ZeroInflatedGeneralizedPoisson"),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_exported_and_documented(name):
    assert name in tm.__all__
    assert getattr(tm, name).__doc__


def test_all_names_exist_once():
    assert len(tm.__all__) == len(set(tm.__all__))
    assert not [name for name in tm.__all__ if not hasattr(tm, name)]
