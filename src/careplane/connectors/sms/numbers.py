"""Telephone numbers: E.164 for the wire, by Google's metadata of the world's numbering plans (``phonenumbers``)."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from careplane.errors import InputError

_NO_TEXT = (PhoneNumberType.FIXED_LINE, PhoneNumberType.TOLL_FREE, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.PAGER)


def e164(text: str, region: str = "US") -> str:
    """A number as ``+16025550123``; the text may be written as people write it, with ``region`` for the country.

    Raises:
        InputError: it is no possible number, or one of a kind that cannot get text messages. The number itself is
            never in the message.
    """
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        raise InputError("is not a telephone number", field="to") from error
    if not phonenumbers.is_possible_number(number) or number.extension:
        raise InputError("is not a telephone number that can be called", field="to")
    if phonenumbers.number_type(number) in _NO_TEXT:
        raise InputError("is a kind of number that gets no text messages", field="to")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
