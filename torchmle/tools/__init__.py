"""Names that scripts written for statsmodels import from its tools."""
