"""``python -m careplane`` is ``careplane``."""

from careplane.cli import main

main()
