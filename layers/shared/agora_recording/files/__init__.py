"""Files: their names and indexes, the verdict on them, the manifest, playback, publishing."""
