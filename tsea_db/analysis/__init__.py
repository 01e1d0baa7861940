"""Questions about a whole store: are p-values calibrated, which threshold, one set given another."""
