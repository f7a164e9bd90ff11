"""The speaker program: watches, announces, reports."""
