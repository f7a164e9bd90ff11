"""The embedded API server for development and tests: what `kubectl` and the controller talk to.

HTTP, discovery, OpenAPI, watches, admission, certificates and the journal belong here. What an
API server does to JSON objects is `apimachinery`, versions and history are `store`. It is a
development and test cluster, never a production one.
"""

from ferrolb.devserver.options import DevServerOptions
from ferrolb.devserver.server import serve
from ferrolb.pki import Endpoint

__all__ = ["DevServerOptions", "Endpoint", "serve"]
