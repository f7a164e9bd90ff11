"""Membership of the speakers: the protocol of hashicorp/memberlist, without I/O.

Pure: datagrams, stream bytes and `now` come in; datagrams, stream writes and membership events go
out. Sockets are the shell's (`net`).
"""
