"""Firing each app's triggers against synthetic patients before it goes live, through the doors that a site will use.

Everything happens in a throw-away installation with the sandbox EHR: a real server on loopback, its durable worker, and
the app in a running stage with trained staff. Nothing of a site is read but its app folders, and nothing is kept.
"""

from careplane.sandbox.simulate.firing import Simulated, simulate
from careplane.sandbox.simulate.world import World, open_world

__all__ = ["Simulated", "World", "open_world", "simulate"]
