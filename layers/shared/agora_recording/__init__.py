"""Everything that thinks: pure decisions on plain values, with adapters at the rim."""

import gc

# Imports make a hundred thousand objects that live for ever. With the interpreter's threshold (700)
# they are looked through hundreds of times while they are made: some 15 ms of each cold start.
gc.set_threshold(50_000, 10, 10)
