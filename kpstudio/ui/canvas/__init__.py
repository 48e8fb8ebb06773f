"""Where the hand meets the picture: canvases with particles that can be seen, picked and moved."""
