"""The links of a draft, as a finding for its reviewer."""

from collections.abc import Sequence

from careplane.records.run import Finding
from careplane.shield.checked import Checked
from careplane.shield.guards.links.stripper import LinkStripper


def links(checked: Checked) -> Sequence[Finding]:
    """A link or image, by which a reply can carry data to a foreign host."""
    found = []
    for i, sentence in enumerate(checked.sentences):
        stripper = LinkStripper()
        stripper.strip(sentence)
        if stripper.removed:
            text = "The draft holds a link or an image, which can carry what it says to a foreign host."
            found.append(Finding(check="links", severity="critical", text=text, sentence=i))
    return found
