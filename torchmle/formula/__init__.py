"""Formulas and matrices to rows: the only package that knows patsy, strings and frames."""

from .arrays import constant_columns, design_from_arrays
from .build import design_from_formula
from .columns.rowargs import late_column
from .columns.surv import Surv
from .design import Design, Rows
from .design_info import design_info
from .frames import response_of_frame
from .language.environment import caller_environment
from .language.offset import without_offset

__all__ = [
    "Design",
    "Rows",
    "Surv",
    "caller_environment",
    "constant_columns",
    "design_from_arrays",
    "design_from_formula",
    "design_info",
    "late_column",
    "response_of_frame",
    "without_offset",
]
