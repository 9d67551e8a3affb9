"""Tests: Wald, likelihood-ratio and score tests of any hypothesis, of terms, of a whole model, of its specification."""
