"""Measures FerroLB on its own API server; `python -m bench --help` says how.

Nothing here is a test: a figure that misses its goal is reported, and never fails anything.
"""
