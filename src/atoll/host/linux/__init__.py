"""Linux: namespaces, netlink, nftables, guests and processes."""
