"""Run statsmodels' own tests on torchmle's models.

A test module of statsmodels is executed with an ``__import__`` of its own, through which every statsmodels module looks
the same except that its models, results, families and links are torchmle's.  statsmodels itself is not changed, so
what its library functions (anova_lm, het_breuschpagan ...) import is their own: given our results, they test that the
two work together.
"""

import builtins
import importlib
import importlib.util
import inspect
import sys
import types

import statsmodels.base.model as base
import statsmodels.base.wrapper as wrapper
import statsmodels.genmod.families as families
from statsmodels.genmod.families import varfuncs

import torchmle
import torchmle.api
import torchmle.formula.api

MODELS = (base.Model, base.Results, wrapper.ResultsWrapper)
FAMILIES = (families.Family, families.links.Link, varfuncs.VarianceFunction)
SUBCLASSES = (
    "statsmodels.miscmodels.count",
    "statsmodels.miscmodels.tmodel",
)  # library code that users could have written


class NotHere(Exception):
    """A test uses a model of statsmodels that torchmle does not have."""


class _Absent(type):
    """Classes that stand for what torchmle does not have: using one raises, nothing is an instance of one."""

    def __call__(cls, *args, **kwargs):
        raise NotHere(cls.__name__)

    def __getattr__(cls, name):
        if name.startswith("_") or name in ("pytestmark",):
            raise AttributeError(name)
        raise NotHere(f"{cls.__name__}.{name}")

    def __instancecheck__(cls, instance):
        return False


class Mirror(types.ModuleType):
    """A statsmodels module with torchmle's classes in place of its own."""

    def __init__(self, module):
        super().__init__(module.__name__, module.__doc__)
        self.__dict__["mirrored"] = module

    def __getattr__(self, name):
        return mirrored(getattr(self.__dict__["mirrored"], name), name, self.__dict__["mirrored"].__name__)

    def __dir__(self):
        return dir(self.__dict__["mirrored"])


def mirrored(value, name, module):
    """What a test gets instead of something from a statsmodels module."""
    if isinstance(value, types.ModuleType):
        return mirror(value)
    if module == "statsmodels.formula.api" and inspect.ismethod(value):
        return getattr(torchmle.formula.api, name, None) or _Absent(name, (), {})
    if not inspect.isclass(value) or value in MODELS:
        return value
    if module == "statsmodels.iolib.summary":
        return getattr(torchmle.summary, name, value)
    if issubclass(value, FAMILIES):
        return _family(value) or _Absent(name, (), {})
    if issubclass(value, MODELS):
        return getattr(torchmle.api, value.__name__, getattr(torchmle, value.__name__, None)) or _Absent(name, (), {})
    if value.__module__ == "statsmodels.tools.sm_exceptions":
        return getattr(torchmle.errors, value.__name__, value)
    return value


def _family(value):
    room = torchmle.families.links if value.__module__.endswith("links") else torchmle.families
    return getattr(room, value.__name__, None)


MIRRORS: dict[str, Mirror] = {}


def mirror(module):
    """The mirror of a statsmodels module; other modules as they are."""
    name = module.__name__
    if not name.startswith("statsmodels") or ".tests" in name:
        return module
    if name not in MIRRORS:
        MIRRORS[name] = Mirror(_executed_again(name) if name in SUBCLASSES else module)
    return MIRRORS[name]


def _executed_again(name):
    """A module whose classes are derived from torchmle's."""
    spec = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__builtins__"] = BUILTINS
    exec(compile(open(spec.origin).read(), spec.origin, "exec"), module.__dict__)  # noqa: SIM115
    return module


def importing(name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002
    """``__import__`` as statsmodels' tests see it."""
    module = builtins.__import__(name, globals, locals, fromlist, level)
    if not level and not name.startswith("statsmodels"):
        return module
    for part in fromlist or ():  # submodules, which the import has loaded
        importlib.import_module(f"{module.__name__}.{part}") if _is_module(module, part) else None
    return mirror(module)


def _is_module(module, part):
    return not hasattr(module, part) and importlib.util.find_spec(f"{module.__name__}.{part}") is not None


BUILTINS = {**vars(builtins), "__import__": importing}


def is_test_of_statsmodels(name):
    """Whether a module is one of statsmodels' tests."""
    return name.startswith("statsmodels.") and ".tests" in name


def install():
    """Let pytest execute statsmodels' test modules with mirrored imports."""
    from _pytest.assertion.rewrite import AssertionRewritingHook

    execute = AssertionRewritingHook.exec_module

    def exec_module(self, module):
        if is_test_of_statsmodels(module.__name__):
            module.__dict__["__builtins__"] = BUILTINS
        execute(self, module)

    AssertionRewritingHook.exec_module = exec_module
    sys.setrecursionlimit(max(3000, sys.getrecursionlimit()))
