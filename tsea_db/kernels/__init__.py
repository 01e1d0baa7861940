"""Array kernels: logit weights, moments, running sums and statistics. Nothing here knows about the store."""
