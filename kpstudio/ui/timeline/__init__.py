"""The timeline along the bottom: transport, ruler, thumbnails, and strips that others add."""
