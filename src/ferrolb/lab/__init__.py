"""A cluster's network on one machine: nodes, switch, router and client as network namespaces.

One supervisor owns every namespace and process of a lab, and all of it ends with the supervisor.
"""
