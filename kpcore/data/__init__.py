"""Pictures to learn from: video files, folders of images, procedural scenes."""
