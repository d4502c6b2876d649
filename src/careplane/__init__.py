"""Careplane: the open platform on which a health system runs all of its GenAI."""

__version__ = "0.1.0"
