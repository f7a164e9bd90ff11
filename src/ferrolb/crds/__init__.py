"""The crds room."""
