"""statsmodels' GenericLikelihoodModel."""
