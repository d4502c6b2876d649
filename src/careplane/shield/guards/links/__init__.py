"""Links out of a reply: no link or image to a host that the app does not name, in whatever spelling.

A reply that shows ``![](https://foreign/?d=...)`` sends what it says to the foreign host, without a click. So links and
images are taken out unless their host is on the app's list. This is a boundary: it does not ask who wrote the link.
"""

from careplane.shield.guards.links.stripper import LinkStripper, strip_links
from careplane.shield.guards.links.targets import Hosts

__all__ = ["Hosts", "LinkStripper", "strip_links"]
