"""Everything that thinks: pure decisions on plain values, with adapters at the rim."""
