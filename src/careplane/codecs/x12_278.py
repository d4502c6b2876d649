"""A request for prior authorisation as X12 278 (005010X217, request): from a signed text and what the chart knows.

One patient event with its diagnoses, the service when it has a procedure code, and the first 264 characters of the
signed text in MSG; the whole text is announced as a report that is available on request (PWK, code ``OZ``, ``AA``).
Delimiters in texts become blanks, for X12 has no escape. All pure; the payer's companion guide may want more.
"""

from collections.abc import Iterator
from datetime import date, datetime

from careplane.errors import InputError
from careplane.records import Record

GUIDE = "005010X217"
LONGEST_MESSAGE = 264
_DELIMITERS = str.maketrans(dict.fromkeys("*~:^\r\n\t", " "))
_GENDERS = {"female": "F", "male": "M"}


class AuthorisationRequest(Record, frozen=True):
    """What the request says. Identifiers are as the payer knows them; ``trace`` is the run, which the answer names."""

    trace: str
    payer: str
    payer_id: str
    requester: str
    requester_npi: str
    sender_id: str
    family: str
    given: str
    member_id: str
    born: date
    gender: str
    service_type: str
    text: str
    diagnoses: tuple[str, ...] = ()
    procedure: str = ""
    units: int = 1


def write_278(request: AuthorisationRequest, at: datetime, control: int, *, test: bool) -> str:
    """The interchange.

    Raises:
        InputError: an element that the guide needs is missing or too long; the field is named.
    """
    _check(request)
    body = list(_body(request, at))
    number = f"{control % 1_000_000_000:09d}"
    sender, receiver = (f"{_plain(one)[:15]:15}" for one in (request.sender_id, request.payer_id))
    usage = "T" if test else "P"
    head = f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender}*ZZ*{receiver}*{at:%y%m%d}*{at:%H%M}*^*00501*{number}*0*{usage}*:"
    group = f"GS*HI*{sender.strip()}*{receiver.strip()}*{at:%Y%m%d}*{at:%H%M}*{int(number)}*X*{GUIDE}"
    lines = [
        *(head, group, f"ST*278*0001*{GUIDE}", *body, f"SE*{len(body) + 2}*0001"),
        *(f"GE*1*{int(number)}", f"IEA*1*{number}"),
    ]
    return "~\n".join(lines) + "~\n"


def _body(request: AuthorisationRequest, at: datetime) -> Iterator[str]:
    trace = _plain(request.trace)[:50]
    yield f"BHT*0007*13*{trace}*{at:%Y%m%d}*{at:%H%M}"
    yield "HL*1**20*1"
    yield f"NM1*X3*2*{_plain(request.payer)[:60]}*****PI*{_plain(request.payer_id)}"
    yield "HL*2*1*21*1"
    yield f"NM1*1P*2*{_plain(request.requester)[:60]}*****XX*{request.requester_npi}"
    yield "HL*3*2*22*1"
    yield f"NM1*IL*1*{_plain(request.family)[:60]}*{_plain(request.given)[:35]}****MI*{_plain(request.member_id)}"
    yield f"DMG*D8*{request.born:%Y%m%d}*{_GENDERS.get(request.gender, 'U')}"
    yield f"HL*4*3*EV*{1 if request.procedure else 0}"
    yield f"TRN*1*{trace}*9CAREPLANE"
    yield f"UM*HS*I*{request.service_type}"
    if request.diagnoses:
        codes = [_code(one) for one in request.diagnoses[:12]]
        yield "HI*" + "*".join(f"{'ABK' if n == 0 else 'ABF'}:{code}" for n, code in enumerate(codes))
    if len(_plain(request.text)) > LONGEST_MESSAGE:
        yield f"PWK*OZ*AA***AC*{trace}"
    yield f"MSG*{_plain(request.text)[:LONGEST_MESSAGE].strip()}"
    if request.procedure:
        yield "HL*5*4*SS*0"
        yield f"SV1*HC:{_code(request.procedure)}**UN*{request.units}"


def _check(request: AuthorisationRequest) -> None:
    needed = ("trace", "payer", "payer_id", "requester", "sender_id", "family", "member_id", "service_type", "text")
    missing = [name for name in needed if not _plain(str(getattr(request, name))).strip()]
    if missing:
        raise InputError(f"is needed for a 278, and so are: {', '.join(missing)}", field=missing[0])
    npi = request.requester_npi
    if len(npi) != 10 or not npi.isascii() or not npi.isdigit() or not _luhn(f"80840{npi}"):
        raise InputError("is not a National Provider Identifier (ten digits, the last checks the others)", field="npi")
    if len(request.member_id) > 80 or len(request.payer_id) > 80:
        raise InputError("is longer than 80 characters", field="member_id")


def _luhn(digits: str) -> bool:
    total = 0
    for n, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if n % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _code(text: str) -> str:
    """A code without its dot (ICD-10-CM: ``M54.50`` is ``M5450``)."""
    return "".join(character for character in text if character.isalnum())[:30]


def _plain(text: str) -> str:
    return " ".join(text.translate(_DELIMITERS).split())
