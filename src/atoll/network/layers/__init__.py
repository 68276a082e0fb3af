"""The layers of a packet's way, one file each; `trace.LAYERS` is their order.

A layer is a function `judge(hop)`: `None` says that this hop is not its business, a `Finding` allows or refuses.
A layer feels what the layers above it did to the packet, and does not care which they are.
"""
