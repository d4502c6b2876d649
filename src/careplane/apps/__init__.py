"""Apps: one GenAI use in one workflow, one folder per item, no Python needed.

``read_app`` reads a folder, ``check_app`` names all its problems, ``schema`` is the published JSON Schema of
``app.yaml``, ``new_app`` writes a folder that passes the check.
"""

from careplane.apps._read import check_app, read_app, unknown_measures
from careplane.apps._scaffold import new_app
from careplane.apps._schema import schema

__all__ = ["check_app", "new_app", "read_app", "schema", "unknown_measures"]
