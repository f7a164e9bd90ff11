"""The devserver room."""
