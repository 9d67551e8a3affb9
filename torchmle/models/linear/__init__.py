"""Linear regression by least squares."""
