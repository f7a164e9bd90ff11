"""The ipam room."""
