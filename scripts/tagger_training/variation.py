# ruff: noqa: E501 - lists of words and sentences
"""Variation: other names and places in the labelled texts, and invented sentences with and without names."""

import random
import re
from collections.abc import Callable, Iterator

from careplane.shield.vocabulary import EVERYDAY, Word, vocabulary
from tagger_training.corpora import Document

_WORD = re.compile(r"[A-Za-z]+")
_FACILITY = re.compile(
    r"(?i)\b(?:hospital|clinic|center|ctr|medical|med|health|care|associates|institute|office|children)"
)
_TITLES = frozenset({"dr", "mr", "mrs", "ms", "miss", "doctor", "md", "nurse"})
STATES = [
    "AL",
    "AK",
    "AZ",
    "AR",
    "CA",
    "CO",
    "CT",
    "FL",
    "GA",
    "ID",
    "IL",
    "IN",
    "IA",
    "KS",
    "KY",
    "LA",
    "ME",
    "MD",
    "MA",
    "MI",
    "MN",
    "MO",
    "MT",
    "NE",
    "NV",
    "NH",
    "NJ",
    "NM",
    "NY",
    "NC",
    "ND",
    "OH",
    "OK",
    "OR",
    "PA",
    "SC",
    "TN",
    "TX",
    "UT",
    "VT",
    "VA",
    "WA",
    "WV",
    "WI",
    "WY",
]
STATE_NAMES = [
    "Alabama",
    "Arizona",
    "Arkansas",
    "California",
    "Colorado",
    "Florida",
    "Georgia",
    "Illinois",
    "Indiana",
    "Iowa",
    "Kansas",
    "Kentucky",
    "Louisiana",
    "Maine",
    "Maryland",
    "Massachusetts",
    "Michigan",
    "Minnesota",
    "Missouri",
    "Montana",
    "Nebraska",
    "Nevada",
    "Ohio",
    "Oklahoma",
    "Oregon",
    "Pennsylvania",
    "Tennessee",
    "Texas",
    "Utah",
    "Vermont",
    "Virginia",
    "Washington",
    "Wisconsin",
    "Wyoming",
]
KINDS = (
    "Hospital", "Hospital", "Hospital", "Clinic", "Clinic", "Medical Center", "Medical Center", "Health Center", "Urgent Care",
    "Regional Medical Center", "General Hospital", "Memorial Hospital", "Family Clinic", "Surgical Associates",
    "Children's Hospital", "Cancer Center", "Health", "Nursing Home", "Senior Center", "Medical", "Community Hospital",
    "Heart Institute", "Med Ctr", "Rehab Center", "Med", "General", "Neurology Center", "Health Care", "clinic", "office",
)  # fmt: skip
INSTITUTIONS = (
    "Cleveland Clinic", "Johns Hopkins", "Johns Hopkins Hospital", "Cedars-Sinai", "Cedar Sinai", "Mount Sinai", "Mt. Sinai",
    "UCSF", "UCLA", "UPMC", "NYU Langone", "NYU Langone Health", "Stanford", "Stanford Health Care", "Kaiser Permanente",
    "Kaiser", "New York Presbyterian", "NY Presbyterian Hospital", "NewYork-Presbyterian", "Mass General", "MGH",
    "Massachusetts General Hospital", "Brigham and Women's Hospital", "Brigham and Women's", "Beth Israel Deaconess",
    "Duke", "Duke University Hospital", "Emory", "Emory Healthcare", "Vanderbilt", "Yale New Haven Hospital", "Yale-New Haven",
    "Northwestern Memorial Hospital", "Northwestern", "Rush University Medical Center", "MD Anderson", "Baylor Scott & White",
    "MD Anderson Cancer Center", "Sloan Kettering", "Memorial Sloan Kettering", "Dana-Farber", "Mayo Clinic", "Mayo",
    "Barnes-Jewish Hospital", "Houston Methodist", "Baylor", "Scripps", "Scripps Mercy", "Sharp Memorial", "Sutter Health",
    "Providence", "Providence Portland", "Swedish", "Harborview", "Intermountain", "Geisinger", "Penn Medicine", "Temple",
    "Jefferson Health", "Thomas Jefferson", "Children's National", "Texas Children's", "Boston Children's", "Nationwide Children's",
    "Lurie Children's", "CHOP", "Cook Children's", "St. Jude", "Shriners", "Bellevue", "Lenox Hill", "Montefiore", "Maimonides",
    "Hackensack Meridian", "Mount Auburn", "Lahey", "Tufts Medical Center", "UMass Memorial", "Dartmouth-Hitchcock",
    "Cooper University", "Inova Fairfax", "MedStar", "Sibley", "Sentara", "Carilion", "Novant", "Atrium Health", "Wake Forest Baptist",
    "UNC", "MUSC", "Grady", "Piedmont", "AdventHealth", "Orlando Health", "Tampa General", "Jackson Memorial", "Ochsner",
    "UAB", "UT Southwestern", "Parkland", "Methodist Dallas", "Banner Health", "HonorHealth", "Barrow", "UCHealth", "Denver Health",
    "OHSU", "UW Medicine", "VA", "Ascension", "Advocate", "Loyola", "Cook County", "Froedtert", "Hennepin", "Allina", "Henry Ford",
    "Beaumont", "Spectrum Health", "UC Davis", "UCSD", "Loma Linda", "City of Hope", "Good Samaritan", "Sacred Heart", "Mercy",
    "Cedar Crest", "Green Valley", "River Valley", "Lakeview", "Bayview", "Hillside", "Sunrise", "Oakwood", "Riverside", "Westside",
    "Southside", "Northside", "Eastside", "Town Center", "Elm Street", "Maple Grove", "Willow Creek", "Pine Ridge",
)  # fmt: skip
_LETTERS = "ABCDEFGHIJKLMNOPRSTUVWXYZ"


class Names:
    """Draws names of people and places from the public lists, usual ones more often, and some of no list."""

    def __init__(self, rng: random.Random) -> None:
        table = vocabulary()
        self.rng = rng
        self._first = self._lists(table, Word.FIRST)
        self._last = self._lists(table, Word.LAST)
        self._towns = [name for name, flags in table.items() if flags & Word.TOWN]

    @staticmethod
    def _lists(table: dict[str, int], kind: Word) -> tuple[list[str], list[str]]:
        every = [name for name, flags in table.items() if flags & kind and len(name) > 2]
        return [name for name in every if table[name] & Word.USUAL], every

    def _drawn(self, lists: tuple[list[str], list[str]]) -> str:
        usual, every = lists
        chance = self.rng.random()
        if chance < 0.5:
            return self.rng.choice(usual)
        if chance < 0.88:
            return self.rng.choice(every)
        one, other = self.rng.choice(every), self.rng.choice(every)
        return one[: max(2, len(one) // 2)] + other[len(other) // 2 :]

    def first(self) -> str:
        return self._drawn(self._first).title()

    def last(self) -> str:
        name = self._drawn(self._last).title()
        if self.rng.random() < 0.04:
            return f"{name}-{self._drawn(self._last).title()}"
        return f"O'{name}" if self.rng.random() < 0.01 else name

    def person(self) -> str:
        rng, chance = self.rng, self.rng.random()
        if chance < 0.45:
            return f"{self.first()} {self.last()}"
        if chance < 0.7:
            return f"{self.first()} {rng.choice(_LETTERS)}."
        if chance < 0.8:
            return f"{rng.choice(_LETTERS)}. {self.last()}"
        return self.first() if chance < 0.9 else self.last()

    def town(self) -> str:
        return self.rng.choice(self._towns).title()

    def place(self) -> str:
        chance = self.rng.random()
        if chance < 0.4:
            return self.town()
        if chance < 0.5:
            return f"{self.town()}, {self.rng.choice(STATES)}"
        return self.rng.choice(INSTITUTIONS) if chance < 0.75 else self.facility()

    def facility(self) -> str:
        rng = self.rng
        stem = rng.choice(
            (self.town, self.last, self.last, lambda: f"St. {self.first()}", lambda: f"St. {self.first()}'s",
             lambda: rng.choice(INSTITUTIONS).removesuffix(" Hospital").removesuffix(" Medical Center"))
        )()  # fmt: skip
        return f"{stem} {rng.choice(KINDS)}"


def varied(document: Document, names: Names) -> Document:
    """The document with other people and places; what has digits, and words such as ``Dr``, stay."""
    out: list[str] = []
    spans: list[tuple[int, int, str]] = []
    at = length = 0
    swapped: dict[str, str] = {}
    for start, end, category in document.spans:
        if start < at:
            continue
        old = document.text[start:end]
        new = _another(old, category, names, swapped)
        out += (document.text[at:start], new)
        length += start - at
        spans.append((length, length + len(new), category))
        length += len(new)
        at = end
    out.append(document.text[at:])
    return Document("".join(out), tuple(spans), {})


def _another(old: str, category: str, names: Names, swapped: dict[str, str]) -> str:
    if category == "NAME":
        words = _WORD.findall(old)
        last = words[-1] if words else ""
        return _WORD.sub(lambda word: _other_name(word[0], word[0] == last and len(words) > 1, names, swapped), old)
    if category != "GEO" or any(map(str.isdigit, old)) or old.islower():
        return old
    if _FACILITY.search(old):
        return names.facility() if names.rng.random() < 0.7 else names.rng.choice(INSTITUTIONS)
    if "," in old:
        return f"{names.town()}, {names.rng.choice(STATES)}"
    return names.place()


def _other_name(word: str, is_last: bool, names: Names, swapped: dict[str, str]) -> str:
    low = word.lower()
    if low in _TITLES:
        return word
    if len(word) == 1:
        return names.rng.choice(_LETTERS) if word.isupper() else word
    if low not in swapped:
        flags = vocabulary().get(low, 0)
        swapped[low] = names.last() if is_last or not flags & Word.FIRST else names.first()
        if flags & EVERYDAY and names.rng.random() < 0.5:
            swapped[low] = word.title()
    new = swapped[low]
    return new.lower() if word.islower() else new.upper() if word.isupper() else new


EPONYMS = (
    "Parkinson's disease", "Alzheimer's disease", "Crohn's disease", "Hodgkin lymphoma", "Graves disease", "Cushing syndrome",
    "Addison's disease", "Marfan syndrome", "Down syndrome", "Turner syndrome", "Klinefelter syndrome", "Ehlers-Danlos syndrome",
    "Guillain-Barré syndrome", "Sjögren's syndrome", "Raynaud's phenomenon", "Horner's syndrome", "Bell's palsy", "Lou Gehrig's disease",
    "Huntington's disease", "Wilson's disease", "Kawasaki disease", "Lyme disease", "Paget disease", "Hashimoto thyroiditis",
    "Barrett's esophagus", "Behçet disease", "Wernicke encephalopathy", "Korsakoff syndrome", "Tourette syndrome", "Meniere's disease",
    "Dupuytren contracture", "Colles fracture", "Lisfranc fracture", "Achilles tendon", "Eustachian tube", "Fallopian tubes",
    "Baker's cyst", "Charcot foot", "Osgood-Schlatter disease", "Legg-Calve-Perthes disease", "Ewing sarcoma", "Kaposi sarcoma",
    "Wilms tumor", "Burkitt lymphoma", "Epstein-Barr virus", "Helicobacter pylori", "Foley catheter", "Swan-Ganz catheter",
    "Hickman line", "Jackson-Pratt drain", "Penrose drain", "Kirschner wire", "Whipple procedure", "Nissen fundoplication",
    "Billroth II", "Roux-en-Y", "Mohs surgery", "Pap smear", "Gram stain", "Babinski sign", "Murphy's sign", "McBurney's point",
    "Homan's sign", "Kernig sign", "Brudzinski sign", "Romberg test", "Rinne test", "Weber test", "Phalen test", "Tinel sign",
    "Lachman test", "McMurray test", "Hawkins test", "Neer test", "Finkelstein test", "Spurling test", "Trendelenburg gait",
    "Chaddock reflex", "Hoffmann sign", "Chvostek sign", "Trousseau sign", "Kussmaul breathing", "Cheyne-Stokes respiration",
    "Apgar score", "Glasgow Coma Scale", "Wells score", "Wells criteria", "Geneva score", "Framingham risk score", "Ranson criteria",
    "Child-Pugh score", "Gleason score", "Breslow depth", "Duke criteria", "Jones criteria", "Rome IV criteria", "Mallampati class",
    "Braden scale", "Morse fall scale", "Borg scale", "Karnofsky status", "Rutherford score", "Fontaine stage", "Killip class",
    "Bosniak cyst", "Schatzki ring", "Zenker diverticulum", "Mallory-Weiss tear", "Boerhaave syndrome", "Budd-Chiari syndrome",
    "Hirschsprung disease", "Meckel diverticulum", "Peyronie disease", "Fournier gangrene", "Ludwig angina", "Prinzmetal angina",
    "Takotsubo cardiomyopathy", "Brugada syndrome", "Wolff-Parkinson-White syndrome", "Eisenmenger syndrome", "Tetralogy of Fallot",
    "Ebstein anomaly", "Dressler syndrome", "Beck's triad", "Virchow's triad", "Bence Jones protein", "Howell-Jolly bodies",
    "Heinz bodies", "Auer rods", "Reed-Sternberg cells", "Philadelphia chromosome", "Waldenstrom macroglobulinemia",
    "von Willebrand disease", "Bernard-Soulier syndrome", "Fanconi anemia", "Wiskott-Aldrich syndrome", "DiGeorge syndrome",
    "Goodpasture syndrome", "Wegener's granulomatosis", "Henoch-Schonlein purpura", "Takayasu arteritis", "Buerger disease",
    "Stevens-Johnson syndrome", "Nikolsky sign", "Wood's lamp", "Mantoux test", "Ishihara plates", "Snellen chart", "Doppler",
    "Holter monitor", "Bruce protocol", "Epley maneuver", "Valsalva maneuver", "Heimlich maneuver", "Kegel exercises", "Ace wrap",
)  # fmt: skip
BODIES = (
    "AHA", "ACC/AHA", "ADA", "GOLD", "GINA", "NCCN", "USPSTF", "IDSA", "KDIGO", "ACOG", "NICE", "WHO", "CDC", "FDA", "NIH", "JAMA",
    "NEJM", "The Lancet", "Cochrane", "UpToDate", "SPRINT", "ALLHAT", "EMPA-REG", "PARADIGM-HF", "DAPA-HF", "Medicare", "Medicaid",
    "Framingham", "Beers criteria", "Joint National Committee", "American Heart Association", "American Diabetes Association",
)  # fmt: skip
DRUGS = [
    "Tylenol",
    "Lasix",
    "Lipitor",
    "Norvasc",
    "Protonix",
    "Imitrex",
    "Ultram",
    "Zoloft",
    "Prozac",
    "Lexapro",
    "Xanax",
    "Ativan",
    "Klonopin",
    "Ambien",
    "Flexeril",
    "Neurontin",
    "Lyrica",
    "Cymbalta",
    "Effexor",
    "Wellbutrin",
    "Abilify",
    "Seroquel",
    "Risperdal",
    "Zyprexa",
    "Haldol",
    "Depakote",
    "Lamictal",
    "Keppra",
    "Dilantin",
    "Tegretol",
    "Topamax",
    "Synthroid",
    "Glucophage",
    "Januvia",
    "Jardiance",
    "Farxiga",
    "Ozempic",
    "Trulicity",
    "Victoza",
    "Lantus",
    "Humalog",
    "Novolog",
    "Coumadin",
    "Eliquis",
    "Xarelto",
    "Plavix",
    "Aspirin",
    "Motrin",
    "Advil",
    "Aleve",
    "Mobic",
    "Celebrex",
    "Percocet",
    "Vicodin",
    "Norco",
    "Oxycontin",
    "Dilaudid",
    "Toradol",
    "Zofran",
    "Reglan",
    "Nexium",
    "Prilosec",
    "Pepcid",
    "Zantac",
    "Miralax",
    "Colace",
    "Dulcolax",
    "Imodium",
    "Bactrim",
    "Augmentin",
    "Zithromax",
    "Levaquin",
    "Cipro",
    "Keflex",
    "Rocephin",
    "Flagyl",
    "Diflucan",
    "Valtrex",
    "Tamiflu",
    "Singulair",
    "Advair",
    "Symbicort",
    "Spiriva",
    "Flonase",
    "Claritin",
    "Zyrtec",
    "Allegra",
    "Benadryl",
    "Humira",
    "Enbrel",
    "Remicade",
    "Methotrexate",
    "Plaquenil",
    "Fosamax",
    "Entresto",
    "Coreg",
    "Lopressor",
    "Toprol",
    "Zestril",
    "Diovan",
    "Cozaar",
    "Benicar",
    "Crestor",
    "Zocor",
    "Pravachol",
    "Zetia",
    "Tricor",
    "Lovaza",
    "metformin",
    "lisinopril",
    "amlodipine",
    "atorvastatin",
    "levothyroxine",
    "omeprazole",
    "gabapentin",
    "sertraline",
    "losartan",
    "albuterol",
    "hydrochlorothiazide",
    "furosemide",
]
ACRONYMS = [
    "MRI",
    "CT",
    "ECG",
    "EKG",
    "EEG",
    "EMG",
    "CBC",
    "BMP",
    "CMP",
    "TSH",
    "PSA",
    "INR",
    "HDL",
    "LDL",
    "BUN",
    "GFR",
    "CRP",
    "ESR",
    "ANA",
    "COPD",
    "CHF",
    "CKD",
    "CAD",
    "GERD",
    "DVT",
    "PE",
    "MI",
    "TIA",
    "CVA",
    "AFib",
    "HTN",
    "DM",
    "T2DM",
    "HIV",
    "HCV",
    "TB",
    "UTI",
    "URI",
    "OSA",
    "RA",
    "OA",
    "MS",
    "ALS",
    "PTSD",
    "ADHD",
    "GAD",
    "MDD",
    "BPH",
    "IBS",
    "IBD",
    "PCOS",
    "SLE",
    "DKA",
    "AKI",
    "ARDS",
    "ICU",
    "ED",
    "ER",
    "OR",
    "PACU",
    "NPO",
    "PRN",
    "BID",
    "TID",
    "IV",
    "IM",
    "PO",
    "HEENT",
    "ROM",
    "JVD",
    "PERRLA",
    "LVEF",
    "EGD",
    "ERCP",
    "CABG",
    "PCI",
    "TAVR",
    "LVAD",
    "ICD",
    "CPAP",
    "BiPAP",
    "PICC",
    "PT",
    "OT",
    "NSAID",
    "SSRI",
    "ACE",
    "ARB",
    "PPI",
    "DOAC",
    "SGLT2",
    "GLP1",
    "HbA1c",
    "SpO2",
    "eGFR",
    "CHADS2",
    "NIHSS",
    "MELD",
    "BMI",
    "BP",
    "HR",
    "RR",
    "LMP",
    "EDD",
    "GTPAL",
    "DEXA",
    "PET",
    "MRA",
    "CTA",
    "VQ",
    "ABG",
    "CSF",
    "RBC",
]
_PEOPLE = (
    "African American",
    "Caucasian",
    "Hispanic",
    "Asian",
    "Latina",
    "Native American",
    "Korean",
    "White",
    "Black",
    "Vietnam",
)
_ASKED = (
    "{n}", "Discussed with {n} by phone.", "Patient was brought in by a friend, {n}.", "Seen by {n} at {g}.", "{n} reports feeling better.",
    "Spoke with {n}, who lives in {g}.", "She was transferred from {g}.", "Records were requested from {g} on 3/4/2021.",
    "Seen by Dr. {l} at {g} last spring.", "The patient, {n}, moved here from {g}.", "His daughter {f} will drive him.",
    "What is the best treatment for a {a}-year-old male, {n}, seen at {g} on April 12, 2023?", "Lives with {f} and {f2} in {g}.",
    "Latest guidelines for COPD in {n}, a {a}yo female from {g} (MRN: 55-1234)?", "Case of {n}, {a}F, admitted to {g} with {e}.",
    "Referred by {n} at {g} for {e}.", "cc: {n}, {g}", "Follow up with {n}, MD, in two weeks.", "Works for {g}.", "{f} called on 3/4.",
    "any updates on {d} for pt {n}, tx'd at {g}?", "Management of {e} in {n}, last seen by Dr. {l} in {g}?", "Per {n}, continue {d}.",
    "Was evaluated at {g} in {g2} before.", "Thank you for seeing {n}.", "I saw {f} with her husband {f2} today.",
)  # fmt: skip
_GENERAL = (
    "My name is {n}.", "I'm {f}, {f2}'s sister.", "{f} and {f2} live in {g}.", "Please write to {n} in {g}.", "We moved from {g} to {g2}.",
    "{n} told {f} about it.", "Can you ask {n} to call me?", "Is {n} available on Monday?", "Hello {f}, how can I help you?", "{f}: I agree.",
    "{f} had given {f2} the address.", "{f} lives on the corner.", "{l} began writing early.", "{f}: what a day.", "Unlike {l}, he stayed.",
    "{n} had lunch.", "{l} and {l2} were present.", "You can tell {f} was there.", "Where is {f}?", "{f}! Come here.", "This song by {l} is old.",
    "{f} shouted at {f2}.", "My kid {f} is four.", "Name: {n}", "name: {n}\naddress: {g}", "Have you heard of {n}?", "{l}'s novel is long.",
    "I met {n} and {n2} at {g}.", "Regards,\n{n}", "Dear {f},\nthank you for your letter.", "The founders are {l}, {l2} and {f}.",
    "{l} was born in {g}.", "My account is under the name {n}.", "In {g}, {l} opened a shop.", "{n}'s book was published.", "From {g} with love",
    "{l}'s report was late.", "Ask for {f} at the desk.", "Yesterday {f} {l} came by.", "Flights to {g} are full.", "I live in {g}.",
)  # fmt: skip
_EVERYDAY = (
    "Mark the date.", "Will this hurt?", "May I eat before?", "Grant access to the portal.", "Bill the insurance.", "Hope this helps.",
    "Long history of smoking.", "Page the resident.", "Rich in fiber.", "Young man in no distress.", "White count is normal.", "Brown stool.",
    "Art therapy helps.", "Drew labs today.", "Sue is not required.", "Rose up slowly.", "Cook meals at home.", "Price is high.", "Hand pain.",
    "Good range of motion.", "Best to rest.", "Short of breath.", "Small bowel is normal.", "Case discussed.", "Love for walking.", "Joy is back.",
    "Miles walked: two.", "Summer allergies.", "August was hot.", "April showers.", "June is fine.", "Dawn phenomenon.", "Faith is important.",
    "Mason work hurts his back.", "Baker by trade.", "Hunter, retired.", "Farmer, active.", "Walker needed.", "Stone passed.", "Wood dust exposure.",
    "Ray of light.", "Sandy stool.", "Iris is intact.", "Heather pollen allergy.", "Ginger helps nausea.", "Max dose reached.", "Gene testing sent.",
    "Pat dry the wound.", "Rob of sleep.", "Frank blood was seen.", "Dean of the school.", "Chase symptoms.", "Wade in water.", "Lance the abscess.",
    "Grace period ends.", "Skip the dose.", "Buddy tape the toe.", "Christian faith.", "Olive oil is fine.", "Basil and ginger.", "Victor of the game.",
    "Discharge Instructions: rest.", "Thank you.", "Take care.", "Vital Signs: stable.", "Physical Exam: normal.", "Review of Systems negative.",
    "Chief Complaint: cough.", "Social History: none.", "Plan: MRI of the knee.", "Labs: CBC, BMP, TSH, A1c.", "CT of the chest was clear.",
    "{c}, {c2} and {c3} were normal.", "{c} and {c2} today.", "{c}: pending.", "Labs: {c}, {c2}, {c3}.", "History of {c} and {c2}.",
    "{c} negative, {c2} positive.", "ordered {c} for {c2}", "{c}/{c2} reviewed", "s/p {c}, on {d} for {c2}",
    "Factor V Leiden was found.", "{a}F with {c}", "{a}M with {c} and {c2}", "scored 24/30 on {c}", "Type 2 diabetes and {c}", "new {c} on {d}",
    "SSN and MRN were verified.", "NPI on file.", "COPD, CHF, CKD and GERD.", "Type 1 Diabetes since childhood.", "Recent MI and AFib.", "ECG: sinus rhythm.",
)  # fmt: skip
_SPOKEN = (
    "[doctor] hi , {f} . how are you ?", "[doctor] good morning , {f} .", "[doctor] so {f} is a {a}-year-old female here for a follow-up .",
    "[doctor] hey {f} , i see dr. {l} sent you over .", "[patient] my wife {f} told me to come in .", "[doctor] mr. {l} , good to see you .",
    "[doctor] {f} {l} is a pleasant {a} year old with {d} .", "[doctor] i'm doctor {l} , nice to meet you .", "[patient] thanks , dr. {l} .",
    "[patient] i saw dr. {l} last week and he put me on {d} .", "[doctor] okay , {f} , take a deep breath .", "[doctor] all right , {f} .",
    "[doctor] date of birth one two nineteen sixty . patient is {f} {l} .", "[doctor] ms. {l} comes in for her knee .",
    "[doctor] i will have my nurse {f} call you .", "[doctor] hello , miss {l} , how are we feeling today ?", "[doctor] bye , {f} .",
)  # fmt: skip
_WITHOUT = (
    "Best practices for {e} in a {a}-year-old {p} female.", "History of {e} and {e2}.", "No evidence of {e}.", "Continue {d} 20 mg daily.",
    "According to {b} guidelines, {d} is preferred over {d2}.", "What does {b} recommend for {e} in adults?", "{e} was negative.",
    "Side effects of {d} in a {p} male with {e}?", "The {a}-year-old was seen in a tertiary center in {s} last summer.", "Started {d} in May.",
    "Positive {e}, will start {d}.", "{d}, {d2} and rest.", "Diagnosed with {e} in March, on {d}.", "Patient Education: {d} was explained.",
    "• {e}: stable on {d}.", "{e}\nNo acute findings.", "Compare {d} with {d2} for {e}.", "Is {d} safe with {d2}? Per {b}, yes.",
    "Placed a {e} without complication.", "Patient is {p}, a veteran, works in {s}.", "Assessment: {e}. Plan: {d}.", "Recent {b} update on {e}?",
)  # fmt: skip
_SPOKEN_WITHOUT = (
    "[doctor] hey , dragon , show me the {e} .", "[patient] i took some {d} and it hurt a little .", "[doctor] we can try {d} or {d2} .",
    "[doctor] any history of {e} ?", "[patient] yeah , i may have had {e} in march .", "[doctor] okay , good . hope that helps .",
    "[patient] i am from {s} and i love it .", "[doctor] will you mark the best spot for me ?", "[doctor] your white count is good .",
)  # fmt: skip


def invented(names: Names, count: int) -> Iterator[Document]:
    """Sentences with names and places, and sentences with words that only look like them."""
    rng = names.rng
    groups = (
        (_ASKED, False),
        (_ASKED, False),
        (_ASKED, True),
        (_GENERAL, False),
        (_SPOKEN, True),
        (_WITHOUT, False),
        (_WITHOUT, False),
        (_EVERYDAY, False),
        (_SPOKEN_WITHOUT, True),
    )
    for _ in range(count):
        templates, spoken = rng.choice(groups)
        yield _filled(rng.choice(templates), names, spoken)


def _filled(template: str, names: Names, spoken: bool) -> Document:
    rng = names.rng
    draw: dict[str, tuple[Callable[[], str], str]] = {
        "n": (names.person, "NAME"), "f": (names.first, "NAME"), "l": (names.last, "NAME"), "g": (names.place, "GEO"),
        "a": (lambda: str(rng.randint(18, 88)), ""), "e": (lambda: rng.choice(EPONYMS), ""), "d": (lambda: rng.choice(DRUGS), ""),
        "b": (lambda: rng.choice(BODIES), ""), "p": (lambda: rng.choice(_PEOPLE), ""), "s": (lambda: rng.choice(STATE_NAMES), ""),
        "c": (lambda: rng.choice(ACRONYMS), ""), "E": (lambda: rng.choice(EPONYMS).upper(), ""),
    }  # fmt: skip
    out, spans = "", []
    template = template.lower() if spoken else template
    for part in re.split(r"(\{\w+\})", template):
        if part.startswith("{"):
            make, category = draw[part[1]]
            part = make().lower() if spoken else make()
            if category:
                spans.append((len(out), len(out) + len(part), category))
        out += part
    return Document(out, tuple(spans), {})
