"""The inside of a machine, as far as it decides about packets: its own firewall, what it forwards, who listens."""
