"""Keypoint Studio: hold the particles of a picture in your hand."""
