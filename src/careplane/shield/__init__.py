"""The PHI shield: what identifies a person stays inside, surrogates go out, originals come back.

The chart says whose identifiers to look for; patterns find the rest. If the shield cannot do its work, nothing leaves.
Output checks of drafts are in :mod:`careplane.shield.checks`.
"""

from careplane.shield.identifiers import Identifier, known_identifiers
from careplane.shield.protection import Protected, Shield, protect
from careplane.shield.restoring import Restorer

__all__ = ["Identifier", "Protected", "Restorer", "Shield", "known_identifiers", "protect"]
