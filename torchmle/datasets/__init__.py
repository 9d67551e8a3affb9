"""Small real data sets, shipped with the package."""

from .doctor_visits import doctor_visits

__all__ = ["doctor_visits"]
