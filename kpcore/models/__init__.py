"""The families; each is one folder, found through `kpcore.registry`."""
