"""Bytes with bounds: a reader and a writer with nested limits, and the error of malformed input.

No protocol is known here.
"""
