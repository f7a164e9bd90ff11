"""The command line: arguments and output, and the one place that builds the programs' objects.

Every command imports what it runs when it runs: a speaker never loads the API server.
"""

from ferrolb.cli.root import main

__all__ = ["main"]
