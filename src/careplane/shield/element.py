"""A JSON object of a chart, read with the types that FHIR gives its fields."""

from careplane.errors import ChartError
from careplane.records import JSON


class Element:
    """A JSON object of a chart, read with the types that FHIR gives its fields."""

    __slots__ = ("_path", "json")

    def __init__(self, json: JSON, path: str) -> None:
        self.json = json
        self._path = path

    def text(self, field: str) -> str:
        """A string; empty when it is absent."""
        value = self.json.get(field)
        if value is not None and not isinstance(value, str):
            raise self._odd(field, "text")
        return value or ""

    def texts(self, field: str) -> list[str]:
        """A list of strings; FHIR allows null in it."""
        value = self.json.get(field)
        values = [] if value is None else value
        if not isinstance(values, list) or not all(isinstance(one, str | None) for one in values):
            raise self._odd(field, "a list of texts")
        return [one for one in values if one]

    def many(self, field: str) -> "list[Element]":
        """A list of objects; a single one, as older charts give it, counts as a list of one."""
        value = self.json.get(field)
        values = [] if value is None else [value] if isinstance(value, dict) else value
        if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
            raise self._odd(field, "a list of objects")
        return [Element(one, f"{self._path}.{field}") for one in values]

    def one(self, field: str) -> "Element":
        """An object; an empty one when it is absent."""
        value = self.json.get(field)
        if value is not None and not isinstance(value, dict):
            raise self._odd(field, "an object")
        return Element(value or {}, f"{self._path}.{field}")

    def _odd(self, field: str, wanted: str) -> ChartError:
        return ChartError(f"The chart could not be read, so nothing left: {self._path}.{field} must be {wanted}.")
