"""Generalised linear models under the paths at which statsmodels keeps its own."""
