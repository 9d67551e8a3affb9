"""Influence of single rows on a fit."""
