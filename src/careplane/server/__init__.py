"""The composition root: one ASGI app and its workers, and the data plane alone; the only place that wires packages
together.

Nothing is imported here: ``platform`` opens everything and takes its time, ``data_plane`` has to start at once.
"""
