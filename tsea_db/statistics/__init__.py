"""Null distributions, p-values and false-discovery rates: arrays in, arrays out."""
