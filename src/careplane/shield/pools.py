"""What lifelike surrogates are made of: names that no ordinary word, drug, eponym or large town is written like.

Given names are used for any gender. Family names, streets and towns are put together from two parts, so that there are
hundreds; names that are hospitals, syndromes or famous places are left out.
"""

from itertools import product

GIVEN = (
    "Ainsley", "Alexis", "Amari", "Arden", "Ashby", "Aubrey", "Avery", "Bellamy", "Brogan", "Camdyn", "Casey", "Corey",
    "Dana", "Darcy", "Darrian", "Delany", "Devyn", "Ellery", "Ellis", "Emerson", "Emery", "Finley", "Greer", "Haiden",
    "Hollis", "Indy", "Jaden", "Jamie", "Jocelin", "Jules", "Kacey", "Keegan", "Kelsey", "Kendall", "Kerry", "Kiran",
    "Landry", "Lennon", "Leslie", "Lindsay", "Logan", "Loren", "Marley", "Marlowe", "Merritt", "Micah", "Morgan",
    "Noel", "Oakley", "Onyx", "Palmer", "Perrin", "Peyton", "Quincy", "Quinn", "Rayne", "Reagan", "Reese", "Riley",
    "Robbie", "Ronan", "Rory", "Shawn", "Shelby", "Sidney", "Skyler", "Sutton", "Tatum", "Teagan", "Toby", "Tristan",
    "Val", "Wynn", "Yael", "Zion",
)  # fmt: skip
_HEADS = (
    "Ash", "Beck", "Bex", "Brack", "Cald", "Cher", "Cold", "Crow", "Dun", "Eld", "Fern", "Gar", "Had", "Hal", "Hax",
    "Kel", "Lang", "Mar", "Nether", "Os", "Pem", "Quar", "Rad", "Sel", "Thorn", "Ul", "Wal", "Wex", "Whit", "Yar",
)  # fmt: skip
FAMILY = tuple(
    head + tail
    for head, tail in product(_HEADS, ("bourne", "combe", "croft", "hurst", "leigh", "mere", "stead", "wick", "worth"))
    if head + tail not in {"Ashcroft", "Ashworth", "Ashbourne", "Radcroft", "Calderwick"}
)
_PLACES = (
    "Alder", "Amber", "Briar", "Cedar", "Clay", "Dell", "Elm", "Fox", "Glen", "Haven", "Iron", "Juni", "Lark", "Maple",
    "North", "Otter", "Pebble", "Quail", "Raven", "Silver", "Tall", "Upper", "Vista", "Willow",
)  # fmt: skip
TOWNS = tuple(
    head + tail for head, tail in product(_PLACES, ("bridgeton", "burgh", "dale", "fordham", "holm", "mont", "moor"))
    if head + tail not in {"Claymont", "Glenmont", "Glendale", "Vistamont"}
)  # fmt: skip
_STREETS = """
street st avenue ave road rd drive dr lane ln boulevard blvd court ct place pl circle cir way highway hwy parkway pkwy
terrace ter trail square
"""
_FACILITIES = """
hospital clinic clinics center centre medical health group surgery nursing home hospice care system associates practice
pharmacy university regional memorial general urgent family pediatrics rehabilitation laboratory
"""
_TITLES = "dr doctor mr mrs ms miss mx prof sr sra dra md do rn np pa phd jr ii iii iv esq"
_PARTICLES = "de la las los del der den van von di da dos le du st san santa bin al el ter"

STREET_WORDS = frozenset(_STREETS.split())
FACILITY_WORDS = frozenset(_FACILITIES.split())
TITLES = frozenset(_TITLES.split())
PARTICLES = frozenset(_PARTICLES.split())
PLAIN_NUMBERS = frozenset({"101", "111", "123", "211", "311", "365", "401", "411", "511", "811", "911", "988", "999"})
"""Numbers with a meaning of their own; those that end in 0 are left out as well."""
