"""Marginal effects: slopes, contrasts and elasticities of what a model predicts."""
