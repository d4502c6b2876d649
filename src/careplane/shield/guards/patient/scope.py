"""The run's patient, and whether a value names another one."""

import json
import re
from collections.abc import Iterable, Iterator
from html import unescape
from urllib.parse import unquote

from careplane.codecs.fhir.elements import as_list, as_object
from careplane.records import JSON, Record
from careplane.records.run import Reason
from careplane.shield.folding import fold_key
from careplane.shield.guards.verdict import refusal

_RULE = "one_patient"
_WAY_OUT = "A run reads and writes for its own patient only; start another run for another patient."
_ID_KEY = re.compile(
    r"^(?:fhir_?)?(?:patients?|pat|mrns?|medical_?record|chart|pid|enterprise_?patient|epi|mpi|beneficiary)"
    r"(?:_?(?:ids?|references?|refs?|identifiers?|numbers?|nos?|nums?|keys?|uuids?|mrns?))*$"
)
_WEAK_KEY = re.compile(r"^(?:subject|person|member|individual)(?:_?(?:ids?|references?|refs?|identifiers?|uuids?))*$")
_NAME_KEY = re.compile(r"^(?:patients?|pat)_?(?:full_?|family_?|given_?|last_?|first_?)?names?$")
_INNER_IDS = frozenset({"id", "ids", "reference", "ref", "identifier", "value", "mrn", "number"})
_REFERENCE = re.compile(r"\bPatient/([^\s?&\"'/,;)\]}|#]*)", re.IGNORECASE)
_SEARCH = re.compile(r"\bPatient\?([^\s\"']*)", re.IGNORECASE)
_PARAMETER = re.compile(
    r"(?:^|[?&;,\s{(.\"'])(?:patient|subject|beneficiary|mrn|pid)(?:[_-]?id)?(?::\w+)?(?:\.\w+)?(\s*=\s*)\"?'?([^&\s;,\"')}]+)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"\b(?:MRN|medical record(?: number| no\.?)?|patient (?:id(?:entifier)?|number|no\.?)|chart (?:number|no\.?))"
    r"[\s:#=]{1,4}(?:is\s+)?([A-Z]{0,4}-?\d[\w-]{2,})",
    re.IGNORECASE,
)
_LIKE_AN_ID = re.compile(r"[A-Za-z0-9.:/_-]*\d[A-Za-z0-9.:/_-]*|[*%]|all", re.IGNORECASE)
_DEEPEST = 40


class PatientScope(Record, frozen=True):
    """The one patient of a run: ``reference`` (``Patient/123``), all ``identifiers`` and ``names`` of the chart."""

    reference: str
    identifiers: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, reference: str, chart: Iterable[JSON] = ()) -> "PatientScope":
        """The scope of ``Patient/123`` with what its own Patient resource in the chart says."""
        mine = [
            one for one in chart if one.get("resourceType") == "Patient" and f"Patient/{one.get('id')}" == reference
        ]
        ids = {str(as_object(item).get("value") or "") for one in mine for item in as_list(one.get("identifier"))}
        parts = (as_object(name) for one in mine for name in as_list(one.get("name")))
        names = {word for name in parts for text in _name_texts(name) for word in fold_key(text).split()}
        return cls(reference=reference, identifiers=frozenset(ids - {""}), names=frozenset(names))

    def is_mine(self, value: object) -> bool:
        """Whether an id, reference or identifier is the run's patient's, whatever its leading zeros and punctuation."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return False
        said = _plain(str(value))
        mine = {_plain(self.reference), *map(_plain, self.identifiers)}
        return said in mine and bool(said)

    def foreign(self, value: object, path: str = "$") -> tuple[Reason, ...]:
        """Every place in a value (arguments of a tool, a resource) that names another patient."""
        return tuple(dict.fromkeys(_reason(place) for place in self._places(value, path, "", 0)))

    def _places(self, value: object, path: str, key: str, depth: int) -> Iterator[str]:
        if depth > _DEEPEST:
            yield f"{path} (too deep to be checked)"
        elif isinstance(value, dict):
            for name, inner in value.items():
                yield from self._places(
                    inner, f"{path}.{_shown(str(name))}", _inner_key(key, _snake(str(name))), depth + 1
                )
        elif isinstance(value, (list, tuple)):
            for i, inner in enumerate(value):
                yield from self._places(inner, f"{path}[{i}]", key, depth + 1)
        elif value is not None and not isinstance(value, bool) and self._is_foreign(value, key, depth):
            yield path

    def _is_foreign(self, value: object, key: str, depth: int) -> bool:
        text = str(value).strip()
        if _NAME_KEY.match(key):
            return bool(text) and not self._is_my_name(text)
        if _ID_KEY.match(key):
            return bool(text) and not (self.is_mine(text) or self._is_my_name(text) or self._only_mine(text))
        if _WEAK_KEY.match(key) and _LIKE_AN_ID.fullmatch(text) and "/" not in text:
            return not self.is_mine(text)
        return isinstance(value, str) and (self._names_another(value) or self._inner_json(value, depth))

    def _only_mine(self, text: str) -> bool:
        """A URL or a search that names this patient and no other."""
        return bool(_REFERENCE.search(unquote(text))) and not self._names_another(text)

    def _names_another(self, text: str) -> bool:
        said = decoded(text)
        ids = [
            *_REFERENCE.findall(said),
            *_asked(said),
            *_NUMBERED.findall(said),
        ]
        if any(not self.is_mine(one) for one in ids):
            return True
        return any(not self._search_is_mine(query) for query in _SEARCH.findall(said))

    def _search_is_mine(self, query: str) -> bool:
        """A search for patients is a search for others unless it asks for this one's id or identifier."""
        asked = [part.partition("=") for part in query.split("&") if part]
        ids = [value.rpartition("|")[2] for name, _, value in asked if name in ("_id", "identifier")]
        return bool(ids) and all(map(self.is_mine, ids))

    def _inner_json(self, text: str, depth: int) -> bool:
        """JSON written into a string is read as what it is."""
        if not text.lstrip().startswith(("{", "[")):
            return False
        try:
            inner = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return any(True for _ in self._places(inner, "$", "", depth + 1))

    def _is_my_name(self, text: str) -> bool:
        words = [word for word in re.split(r"[\s,]+", fold_key(text)) if word]
        return bool(words) and set(words) <= self.names


def decoded(text: str) -> str:
    """A text with percent-encoding, HTML entities and JSON's escaped slashes undone, nested up to three times."""
    for _ in range(3):
        plain = unescape(unquote(text)).replace("\\/", "/")
        if plain == text:
            break
        text = plain
    return text


def _reason(place: str) -> Reason:
    return refusal(_RULE, f"{place} names another patient than the run's.", _WAY_OUT)


def _asked(text: str) -> Iterator[str]:
    """What search parameters ask for: the id of ``Patient/1``, the value of ``system|value``. With spaces around the
    ``=`` it may be prose, so only what looks like an id counts."""
    for equals, value in _PARAMETER.findall(text):
        if equals == "=" or any(char.isdigit() or char == "*" for char in value):
            yield value.rpartition("|")[2].rpartition("/")[2]


def _inner_key(outer: str, name: str) -> str:
    """The key under which a value is judged: ``{"patient": {"id": ...}}`` counts as a patient's id."""
    if (_ID_KEY.match(outer) or _WEAK_KEY.match(outer)) and name in _INNER_IDS:
        return outer
    if (_ID_KEY.match(outer) or _NAME_KEY.match(outer)) and name in (
        "name",
        "full_name",
        "family",
        "given",
        "text",
        "display",
    ):
        return "patient_name"
    return name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").replace(" ", "_").replace(".", "_").lower()


def _shown(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w-]{0,40}", name) else "*"


def _plain(text: str) -> str:
    """An id as it is compared: no ``Patient/``, no version, no ``MRN`` in front, no punctuation, no leading zeros."""
    text = re.sub(r"^patient/", "", text.strip(), flags=re.IGNORECASE).partition("/_history")[0]
    said = re.sub(r"[^a-z0-9]", "", fold_key(text))
    said = re.sub(r"^mrn(?=\d)", "", said)
    return said.lstrip("0") or said


def _name_texts(name: JSON) -> Iterator[str]:
    for part in (name.get("text"), name.get("family"), *as_list(name.get("given")), *as_list(name.get("prefix"))):
        if isinstance(part, str):
            yield part
