"""Formula text to terms; the grammar is patsy's."""

from __future__ import annotations

from dataclasses import dataclass

from patsy import PatsyError
from patsy.desc import ModelDesc, Term

from ...errors import FormulaError

_LONG = 200  # patsy's parser is recursive; longer sums are parsed in pieces of this many terms


@dataclass(frozen=True)
class Parsed:
    """A formula: codes of the response's terms; the right side's terms as tuples of factor codes, () the intercept."""

    text: str
    response: tuple[str, ...]
    terms: tuple[tuple[str, ...], ...]

    @property
    def factors(self) -> tuple[str, ...]:
        """Codes of the right side's factors, each once."""
        return tuple(dict.fromkeys(code for term in self.terms for code in term))


def parse_formula(text: str) -> Parsed:
    """Parse ``"y ~ x"``, ``"~ x"`` or ``"x"``.

    Raises
    ------
    FormulaError
        If patsy cannot parse it, or the response contains an interaction.
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula must be a string, not {type(text).__name__}")
    left, tilde, right = text.partition("~")
    pieces = _plus_terms(right if tilde else left)
    if len(pieces) <= _LONG:
        desc = _patsy(text)
        return Parsed(text, _response(desc.lhs_termlist), _codes(desc.rhs_termlist))
    response = _response(_patsy(f"{left} ~ 1").lhs_termlist) if tilde else ()
    return Parsed(text, response, _long_sum(pieces))


def parse_predictors(formulas: dict[str, str]) -> dict[str, Parsed]:
    """Parse one formula per predictor; only the first may have a response."""
    parsed = {name: parse_formula(text) for name, text in formulas.items()}
    for name, formula in list(parsed.items())[1:]:
        if formula.response:
            raise FormulaError(f"the formula of {name} is {formula.text!r}; only the first formula may have a response")
    return parsed


def _patsy(text: str) -> ModelDesc:
    try:
        return ModelDesc.from_formula(text)
    except PatsyError as error:
        raise FormulaError(f"cannot parse the formula {text!r}: {error}") from error
    except RecursionError:
        raise FormulaError(
            f"the formula is nested too deeply ({len(text)} characters); write it as a plain sum of terms"
        ) from None


def _response(terms: list[Term]) -> tuple[str, ...]:
    for term in terms:
        if len(term.factors) != 1:
            raise FormulaError(f"the left side of a formula must be a sum of variables; {term.name()!r} is not one")
    return tuple(term.factors[0].name() for term in terms)


def _codes(terms: list[Term]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(factor.name() for factor in term.factors) for term in terms)


def _long_sum(pieces: list[str]) -> tuple[tuple[str, ...], ...]:
    intercept = True
    terms: dict[frozenset[str], tuple[str, ...]] = {}
    for start in range(0, len(pieces), _LONG):
        chunk = pieces[start : start + _LONG]
        constants = [piece for piece in chunk if piece in ("0", "1")]
        intercept = constants[-1] == "1" if constants else intercept
        rest = [piece for piece in chunk if piece not in ("0", "1")]
        for term in _codes(_patsy(" + ".join(["0", *rest])).rhs_termlist):
            terms.setdefault(frozenset(term), term)
    return (((),) if intercept else ()) + tuple(terms.values())


def _plus_terms(text: str) -> list[str]:
    """Split at top-level ``+``; the whole text as one piece when another operator is at the top level."""
    pieces, depth, start, quote = [], 0, 0, ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0 and character == "-":
            return [text.strip()]
        elif depth == 0 and character == "+":
            pieces.append(text[start:at].strip())
            start = at + 1
    return [*pieces, text[start:].strip()]
