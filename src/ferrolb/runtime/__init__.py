"""What the programs share: supervision and signals, HTTP endpoints, the namespace they run in."""

from ferrolb.runtime.configuration_log import ConfigurationLog
from ferrolb.runtime.endpoints import Health, bind_socket, health_app, metrics_app, serve_http
from ferrolb.runtime.namespace import DEFAULT_NAMESPACE, own_namespace
from ferrolb.runtime.program import StartupError, run_program
from ferrolb.runtime.settling import settle

__all__ = [
    "DEFAULT_NAMESPACE",
    "ConfigurationLog",
    "Health",
    "StartupError",
    "bind_socket",
    "health_app",
    "metrics_app",
    "own_namespace",
    "run_program",
    "serve_http",
    "settle",
]
