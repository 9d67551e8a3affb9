"""Digits that agree with certified, exact and published answers: ours and those of other packages, side by side."""
