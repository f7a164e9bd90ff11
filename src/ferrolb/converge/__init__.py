"""The converge room."""
