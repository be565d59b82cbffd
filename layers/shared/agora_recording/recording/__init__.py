"""What a recording is and how it may change. Pure: rows, replies and events in, rows out."""
