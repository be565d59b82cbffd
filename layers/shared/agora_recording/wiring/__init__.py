"""The composition root: the one place that makes the parts of rooms.

A room declares the variables that it needs as a `Settings` subclass and takes its part from
`Parts(settings)`. A part is made on first use, together with the parts that it needs. Its modules
are imported then, so a room imports only what it needs. The operator's tools, the tests and the
benchmarks take their parts from here too; tests and benchmarks with another `Outside`.
"""
