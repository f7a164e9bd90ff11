"""FerroLB: a bare-metal load balancer for Kubernetes, a drop-in for MetalLB."""

__version__ = "0.1.0"
