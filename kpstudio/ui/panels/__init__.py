"""The panels around the canvases; each is hidden when the open model lacks what it shows."""
