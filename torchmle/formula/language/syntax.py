"""What a factor's code says, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import patsy.builtins

from ...errors import FormulaError

_REFUSED = (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp)
_DATA_KEYWORDS = ("data", "x", "event", "time", "time2")  # keyword arguments that hold variables, not options
_STATISTICS = ("mean", "std", "var", "median", "min", "max", "sum", "average", "quantile", "percentile")


@dataclass
class Names:
    """Names in the code of some factors, in order of appearance (the values are not used).

    Names that are called are ``functions``; names in keyword arguments (``knots=k``) are ``options``.
    """

    functions: dict[str, None] = field(default_factory=dict)
    options: dict[str, None] = field(default_factory=dict)
    variables: dict[str, None] = field(default_factory=dict)

    def all(self) -> list[str]:
        """Every name, once."""
        return list(self.functions | self.options | self.variables)


@lru_cache(maxsize=1024)  # every step of learning a formula reads its factors' trees
def parse(code: str) -> ast.expr:
    """Syntax tree of an expression; it is shared, so change a copy.

    Raises
    ------
    FormulaError
        If it is not Python, or binds names of its own (lambdas, comprehensions).
    """
    try:
        tree = ast.parse(code.strip(), mode="eval")
    except SyntaxError as error:
        hint = (
            "name the columns" if code.strip() == "." else "a column whose name is no Python name is written Q('name')"
        )
        raise FormulaError(f"{code!r} is not a valid expression: {error.msg}; {hint}") from error
    if any(_is_power_of_r(node) for node in ast.walk(tree)):
        raise FormulaError(f"{code!r}: ^ is no power in Python; write I(x**2) for a square, (a + b)**2 for products")
    if any(isinstance(node, _REFUSED) for node in ast.walk(tree)):
        raise FormulaError(f"{code!r}: lambdas and comprehensions are not supported in formulas; define a function")
    return tree.body


def _is_power_of_r(node: ast.AST) -> bool:
    """``x^2``, which Python reads as bits: a silent wrong number for whole numbers."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor) and isinstance(node.right, ast.Constant)


def find_names(codes: Iterable[str], constants: Mapping[str, object] | None = None) -> Names:
    """Names used in ``codes``; ``constants`` say what ``Q`` and its argument mean."""
    names = Names()
    for code in codes:
        _collect(parse(code), names, constants or {}, in_option=False)
    return names


def _collect(tree: ast.AST, names: Names, constants: Mapping[str, object], in_option: bool) -> None:
    if isinstance(tree, ast.Name):
        (names.options if in_option else names.variables)[tree.id] = None
        return
    children = list(ast.iter_child_nodes(tree))
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        names.functions[tree.func.id] = None
        children.remove(tree.func)
    quoted = quoted_name(tree, constants)
    if quoted is not None:
        names.variables[quoted] = None
        in_option = True  # the argument of Q is a name, not a variable
    for child in children:
        option = in_option or (isinstance(child, ast.keyword) and child.arg not in _DATA_KEYWORDS)
        _collect(child, names, constants, option)


def without_box(tree: ast.expr, constants: Mapping[str, object]) -> tuple[ast.expr, bool]:
    """The data argument of an outermost ``C(...)``, and whether there was one."""
    boxed = False
    while isinstance(tree, ast.Call) and _is_call_of(tree, patsy.builtins.C, constants):
        data = [*tree.args, *(keyword.value for keyword in tree.keywords if keyword.arg == "data")]
        if not data:
            break
        tree, boxed = data[0], True
    return tree, boxed


def bare_variable(tree: ast.expr, variables: Container[str], constants: Mapping[str, object]) -> str | None:
    """The variable's name if the expression is ``x`` or ``Q("x")``."""
    name = tree.id if isinstance(tree, ast.Name) else quoted_name(tree, constants)
    return name if name is not None and name in variables else None


def bare_names(codes: Iterable[str], variables: Container[str], constants: Mapping[str, object]) -> dict[str, bool]:
    """Variables that stand alone in every factor that uses them; the value says whether within ``C(...)``.

    Of these only the levels matter if they are categorical, so their rows are looked at only to find the levels.
    """
    bare: dict[str, bool] = {}
    inside: set[str] = set()
    for code in codes:
        tree, boxed = without_box(parse(code), constants)
        name = bare_variable(tree, variables, constants)
        if name is None:
            inside |= set(find_names([code], constants).variables)
        else:
            bare[name] = bare.get(name, False) or boxed
    return {name: boxed for name, boxed in bare.items() if name not in inside}


def quoted_name(tree: ast.AST, constants: Mapping[str, object]) -> str | None:
    """The name inside ``Q("...")``, or inside ``Q(name)`` when ``name`` is a string of the caller's."""
    if not (isinstance(tree, ast.Call) and _is_call_of(tree, patsy.builtins.Q, constants)):
        return None
    argument = tree.args[0] if tree.args else tree.keywords[0].value if tree.keywords else None
    value: object = argument.value if isinstance(argument, ast.Constant) else None
    if isinstance(argument, ast.Name):
        value = constants.get(argument.id)
    return value if isinstance(value, str) else None


def statistics_of(code: str, variables: Container[str], constants: Mapping[str, object]) -> str | None:
    """The first call in ``code``, such as ``np.mean(x)`` or ``x.mean()``, whose value depends on the rows at hand.

    Calls with ``axis=`` are taken to go along rows; keyword arguments of stateful transforms are only used in training.
    """
    pending: list[ast.AST] = [parse(code)]
    while pending:
        tree = pending.pop()
        if isinstance(tree, ast.Call):
            if isinstance(tree.func, ast.Attribute) and tree.func.attr in _STATISTICS and not _has_axis(tree):
                text = ast.unparse(tree)
                if any(name in variables for name in find_names([text], constants).variables):
                    return text
            if isinstance(tree.func, ast.Name) and _is_stateful(constants.get(tree.func.id)):
                pending.extend(tree.args)
                continue
        pending.extend(ast.iter_child_nodes(tree))
    return None


def _has_axis(call: ast.Call) -> bool:
    return any(keyword.arg == "axis" for keyword in call.keywords)


def _is_stateful(function: object) -> bool:
    return hasattr(function, "__patsy_stateful_transform__")


def _is_call_of(tree: ast.Call, function: object, constants: Mapping[str, object]) -> bool:
    return isinstance(tree.func, ast.Name) and constants.get(tree.func.id) is function
