"""The console: a page on the operator's own machine that shows a stack, and acts on it."""
