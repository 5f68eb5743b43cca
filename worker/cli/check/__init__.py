"""falhook check: probes of this machine and of the services that jobs need."""
