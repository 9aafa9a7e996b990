"""Stands in for the client of the hash server."""
