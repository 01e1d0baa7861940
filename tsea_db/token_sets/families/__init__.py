"""Families of token sets that the library ships, one a module."""
