"""falhook check: what is checked on this machine and over the network."""
