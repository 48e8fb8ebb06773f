"""Coordinates, heatmaps, glimpses and warps: the geometry every family shares."""
