"""Stands in for BitBake's PR server, which its package on PyPI lacks and parsing does not need."""
