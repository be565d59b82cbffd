"""The life of a recording: its rows, its execution, and the rooms that move it on."""
