"""Ordered models under the path at which statsmodels keeps its own."""
