"""The training loop, its events and its snapshots; knows no family."""
