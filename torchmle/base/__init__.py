"""What `Model`, `LikelihoodModel` and `RegressionModel` are made of: arguments, checks, names, derivatives."""
