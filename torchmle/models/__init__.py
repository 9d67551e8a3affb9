"""The models: likelihoods and little else."""
