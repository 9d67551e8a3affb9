"""Timing two programs against each other, and the table of the outcome."""
