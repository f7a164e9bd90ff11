"""The kube room."""
