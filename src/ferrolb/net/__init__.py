"""Sockets: packet sockets with filters, group memberships, rtnetlink, gossip transport, the driver.

Everything that touches the network besides HTTP is here. What the bytes mean is not: the machines
of `l2` and `gossip` decide that.
"""
