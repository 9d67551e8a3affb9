"""The summary under the path at which statsmodels keeps its own."""

from ..summary import Summary

__all__ = ["Summary"]
