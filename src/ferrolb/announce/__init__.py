"""What a node announces, and why every other node does not.

Pure: a Service, its endpoints, the nodes, the advertisements and the members come in; one decision
with its verdict comes out. Frames are `l2`'s matter, routes that of a later stage.
"""
