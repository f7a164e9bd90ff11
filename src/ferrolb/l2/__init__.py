"""ARP and Neighbor Discovery: codecs, what a frame is answered with, when gratuitous frames go.

Pure: frames, interfaces and `now` come in; frames, group memberships and reasons go out. Who owns
an address is decided elsewhere (`announce`); sockets are the shell's (`net`).
"""
