"""How a room comes to its part.

A room declares the variables that it needs as a `Settings` subclass, and takes its part from
`Parts(settings)`. Each part is made when it is first asked for, and what it is made of with it; its
modules are imported then, so that no room imports what it does not need. Tests, benchmarks and the
operator's tools take their parts from here too, with another `Outside`.
"""
