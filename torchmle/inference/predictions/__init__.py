"""Predictions with standard errors and intervals, and the distributions of new observations."""
