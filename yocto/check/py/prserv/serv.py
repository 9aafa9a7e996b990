"""Stands in for the PR server."""


def auto_start(_d):
    return None


def auto_shutdown():
    pass
