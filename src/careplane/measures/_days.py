"""Days and months of FHIR dates as numbers, in operators that every engine answers alike.

A day is the one that the record shows (its wall date), so no change of clocks makes a night longer or shorter.
"""

from careplane.measures._instants import Column, wall_seconds, whole

FAR_DAY = 2_932_896
"""31 December 9999: the day of what has not ended."""


def wall_day(moment: Column) -> Column:
    """The wall date of a FHIR date, dateTime or instant as days since 1970-01-01; one without a day counts from the
    first (``2026-03`` is 1 March), what is no FHIR date is null."""
    return (wall_seconds(moment) // 86400).cast("int64")


def month_of(moment: Column) -> Column:
    """The month that a FHIR date shows, as months since year 0 (January 2026 is 24312)."""
    text = whole(moment)
    return text.left(4).cast("int64") * 12 + text.left(7).right(2).cast("int64") - 1


def year_shown(moment: Column) -> Column:
    """The calendar year that a FHIR date shows; null where it is none."""
    return whole(moment).left(4).cast("int64")


def first_day(month: Column) -> Column:
    """The first day of a month (as :func:`month_of` gives it) in days since 1970-01-01.

    The count of days from 1 March of year 0, where leap days come last (Fliegel and Van Flandern, CACM 11:657, 1968).
    """
    march = month - 2  # months since 1 March of year 0
    year, place = (march // 12).cast("int64"), march % 12
    days = year * 365 + (year // 4).cast("int64") - (year // 100).cast("int64") + (year // 400).cast("int64")
    return days + ((place * 153 + 2) // 5).cast("int64") - 719_468


def year_of(day: Column) -> Column:
    """The calendar year of a day in days since 1970-01-01, exact for the years 0 to 9999."""
    guess = ((day * 400 + 287_804_000) // 146_097).cast("int64")  # a year has 146,097 / 400 days; off by one at most
    later, earlier = first_day(guess * 12 + 12) <= day, first_day(guess * 12) > day
    return later.ifelse(guess + 1, earlier.ifelse(guess - 1, guess))
