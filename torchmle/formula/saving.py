"""A design as plain data that a fresh process can predict from: `Design.to_dict` and `Design.from_dict`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import FormulaError
from .coding import Coding, Part
from .design import Design
from .factor import Factor
from .language.expression import Expression
from .portable import UnportableError, decode, encode
from .response import Response

VERSION = 1


def design_to_dict(design: Design) -> dict[str, Any]:
    """JSON-able description of a design.

    Raises
    ------
    FormulaError
        If a formula uses a function or value that a fresh process could not find; the message names it.
    """
    return {
        "version": VERSION,
        "formulas": dict(design.formulas),
        "response": list(design.response),
        "response_label": design.response_label,
        "columns": {name: list(columns) for name, columns in design.columns.items()},
        "terms": {name: _spans_to(terms) for name, terms in design.terms.items()},
        "row_names": dict(design.row_names),
        "row_factors": {name: _factor_to(factor) for name, factor in design.row_factors.items()},
        "pandas": design.pandas,
        "response_levels": encode(design.response_levels),
        "codings": {name: [_part_to(part) for part in coding.parts] for name, coding in design.codings.items()},
        "factors": [_factor_to(factor) for factor in design.factors.values()],
        "outcome": None if design.outcome is None else _response_to(design.outcome),
    }


def design_from_dict(content: Mapping[str, Any]) -> Design:
    """Rebuild a design; modules that its formulas use are imported.

    Formulas are Python code, which is run when rows are asked for: take designs only from people you trust.

    Raises
    ------
    FormulaError
        If the description is of a later version of this package.
    """
    if content.get("version") != VERSION:
        raise FormulaError(f"the design was saved in format {content.get('version')!r}; this version reads {VERSION}")
    columns = {name: tuple(names) for name, names in content["columns"].items()}
    terms = {name: _spans_from(spans) for name, spans in content["terms"].items()}
    factors = [_factor_from(factor) for factor in content["factors"]]
    return Design(
        formulas=dict(content["formulas"]),
        response=tuple(content["response"]),
        response_label=content["response_label"],
        columns=columns,
        terms=terms,
        row_names=dict(content["row_names"]),
        row_factors={name: _factor_from(factor) for name, factor in content.get("row_factors", {}).items()},
        pandas=content["pandas"],
        response_levels=decode(content["response_levels"]),
        codings={
            name: Coding(columns[name], terms[name], tuple(_part_from(part) for part in parts))
            for name, parts in content["codings"].items()
        },
        factors={factor.name: factor for factor in factors},
        outcome=None if content["outcome"] is None else _response_from(content["outcome"]),
    )


def _spans_to(terms: Mapping[str, slice]) -> dict[str, list[int]]:
    return {term: [span.start, span.stop] for term, span in terms.items()}


def _spans_from(spans: Mapping[str, list[int]]) -> dict[str, slice]:
    return {term: slice(start, stop) for term, (start, stop) in spans.items()}


def _part_to(part: Part) -> dict[str, Any]:
    return {
        "factors": list(part.factors),
        "contrasts": {name: encode(matrix) for name, matrix in part.contrasts.items()},
        "columns": [part.columns.start, part.columns.stop],
        "keep": None if part.keep is None else part.keep.tolist(),
    }


def _part_from(content: Mapping[str, Any]) -> Part:
    return Part(
        tuple(content["factors"]),
        {name: decode(matrix) for name, matrix in content["contrasts"].items()},
        slice(*content["columns"]),
        None if content["keep"] is None else np.array(content["keep"], dtype=np.intp),
    )


def _factor_to(factor: Factor) -> dict[str, Any]:
    return {
        "name": factor.name,
        "code": factor.expression.code,
        "constants": {name: _portable(value, name, factor) for name, value in factor.expression.constants.items()},
        "transforms": {slot: _transform_to(value, factor) for slot, value in factor.expression.transforms.items()},
        "variables": list(factor.variables),
        "bare": factor.bare,
        "levels": encode(factor.levels),
        "unused": encode(factor.unused),
        "width": factor.width,
    }


def _factor_from(content: Mapping[str, Any]) -> Factor:
    constants = {name: decode(value) for name, value in content["constants"].items()}
    transforms = {slot: _transform_from(value) for slot, value in content["transforms"].items()}
    return Factor(
        name=content["name"],
        expression=Expression(content["code"], constants, transforms),
        variables=tuple(content["variables"]),
        bare=content["bare"],
        levels=decode(content["levels"]),
        unused=decode(content["unused"]),
        width=content["width"],
    )


def _response_to(response: Response) -> dict[str, Any]:
    return {
        "codes": list(response.codes),
        "names": list(response.names),
        "label": response.label,
        "factors": [_factor_to(factor) for factor in response.factors.values()],
        "levels": encode(response.levels),
    }


def _response_from(content: Mapping[str, Any]) -> Response:
    factors = [_factor_from(factor) for factor in content["factors"]]
    return Response(
        codes=tuple(content["codes"]),
        names=tuple(content["names"]),
        label=content["label"],
        factors={factor.name: factor for factor in factors},
        levels=decode(content["levels"]),
    )


def _transform_to(transform: Any, factor: Factor) -> dict[str, Any]:
    name = type(transform).__name__
    return {"class": _portable(type(transform), name, factor), "state": _portable(vars(transform), name, factor)}


def _transform_from(content: Mapping[str, Any]) -> Any:
    kind = decode(content["class"])
    transform = kind.__new__(kind)
    vars(transform).update(decode(content["state"]))
    return transform


def _portable(value: Any, name: str, factor: Factor) -> Any:
    try:
        return encode(value)
    except UnportableError as error:
        raise FormulaError(f"the model cannot be saved: in the term {factor.name!r}, {name} is {error}") from None
