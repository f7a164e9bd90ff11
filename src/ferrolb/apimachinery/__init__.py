"""The apimachinery room."""
