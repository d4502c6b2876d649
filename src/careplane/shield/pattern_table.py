"""The patterns themselves: category, regular expression with one group, and a second look where one is needed."""

# ruff: noqa: E501

from careplane.shield import pattern_checks as check
from careplane.shield.pattern_checks import Check
from careplane.shield.spans import Category

_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_LONG_MONTH = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_SPANISH_MONTH = r"(?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|sep?tiembre|octubre|noviembre|diciembre)"
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
_D = r"(?:0?[1-9]|[12]\d|3[01])"
_DAY = rf"(?:{_D}(?:st|nd|rd|th)?)"
_ORDINAL = r"(?:(?:twenty|thirty)[ -])?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth)"
_M = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:19|20)\d\d"
_YY = rf"(?:{_YEAR}|'?\d\d)"
_STREET = r"(?:Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Court|Ct|Place|Pl|Circle|Cir|Way|Highway|Hwy|Parkway|Pkwy|Terrace|Ter|Trail|Trl|Square|Loop|Plaza|Crossing|Ridge|Run|Row|Walk|Path|Pike|Alley)"
_LONG_STREET = (
    r"(?:street|avenue|ave|road|rd|drive|lane|ln|boulevard|blvd|highway|hwy|parkway|pkwy|terrace|court|circle)"
)
_UNIT = r"(?:,?\s(?i:apt|apartment|unit|suite|ste|room|rm|bldg|#)\.?\s?#?[A-Za-z0-9-]+)?"
_CAPITAL = r"(?:[A-Z]\.\s?)?(?:Mc|Mac|O'|D'|De|La|Le|Van)?[A-Z][a-z]+(?:['-][A-Z][a-z]+)*"
_PARTICLE = r"(?:(?:de|la|van|von|der|del|da|dos|el|al|bin|ben)[ ])*"
_FULL_NAME = rf"{_CAPITAL}(?:[ ](?:[A-Z]\.?[ ])?{_PARTICLE}{_CAPITAL}){{0,2}}(?:[ ][A-Z]\.)?"
_FACILITY = r"(?:Hospitals?|Clinics?|Medical Cent(?:er|re)|Health Cent(?:er|re)|Cancer Cent(?:er|re)|Medical Group|Surgery Center|Nursing Home|Hospice|Infirmary|Sanatorium|Urgent Care|Healthcare|Health System|Health|Surgical Associates|Family Practice|Senior (?:Living|Center)|Rehabilitation Center|Rehab Center|Health Network|Medical Associates|Physicians|Pharmacy|Medical College|Dialysis Center)"
_STATE = r"(?:AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC)"
_KIN = r"(?:wife|husband|spouse|partner|daughter|son|mother|father|mom|mum|dad|sister|brother|aunt|uncle|niece|nephew|cousin|friend|neighbor|caregiver|grandmother|grandfather|grandson|granddaughter|stepmother|stepfather|fiancee?|girlfriend|boyfriend|roommate|guardian)"
_HELPER = r"(?:social worker|case manager|care manager|interpreter|translator|home health aide|employer|landlord|pastor|chaplain|attorney|coworker)"
_TITLE = r"(?:Dr|Doctor|Mr|Mrs|Ms|Miss|Mx|Nurse|Prof|Professor|Dra|Sra|Sr|Rev|Father|Officer|Judge|Sgt|Capt)"
_DEGREE = r"(?:M\.?D|D\.?O|R\.?N|N\.?P|PA-C|PA|Ph\.?D|LCSW|PharmD|DDS|DPM|OD|CRNA|CNM|FNP|APRN|DNP|LPN|MSW|DPT|PT|OT)\b"
_NO = r"(?:\s?(?:is|was|are|shows?|number|numbers|num|nbr|no\.?|id|ids|identifier|code|ending in|ref|#))*[\s:#=.(]*"
_VALUE = r"(\d{2,}(?: \d{2,})+|#?[a-z0-9]*\d[a-z0-9]*(?:[-/._][a-z0-9]+)*|#?[a-z]{1,8}[-/._#]+[a-z0-9-]*\d[a-z0-9-]*)"
_TLD = r"(?:com|org|net|edu|gov|mil|io|co|us|uk|ca|de|fr|info|biz|health|me|app|dev)"

PATTERNS: tuple[tuple[Category, str, Check | None], ...] = (
    ("EMAIL", r"(?i)([a-z0-9][a-z0-9._%+'-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,})", None),
    ("EMAIL", r"(?i)([a-z0-9._-]*[a-z][a-z0-9._-]*@[a-z0-9-]*[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*\.[a-z0-9]*[a-z][a-z0-9]+)", None),
    ("EMAIL", r"(?i)\b([a-z0-9._-]+\s?[\[({]\s?at\s?[\])}]\s?[a-z0-9-]+(?:\s?[\[({]\s?dot\s?[\])}]\s?|\.)[a-z]{2,})\b", None),
    ("EMAIL", rf"(?i)\b([a-z0-9]+(?: (?:dot|underscore|dash) [a-z0-9]+)* at [a-z0-9-]+(?: dot [a-z0-9]+)? dot {_TLD})\b", None),
    ("URL", r"(?i)((?:https?|ftp)://[^\s<>\"')\]]+[^\s<>\"')\].,;:!?]|\bwww\.[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[^\s<>\"')\]]*)?)", None),
    ("URL", rf"(?i)\b([a-z0-9][a-z0-9-]+(?:\.[a-z0-9-]+)*\.{_TLD}(?:/[^\s<>\"')\]]*)?)\b", None),
    ("IP", r"\b((?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d))\b", None),
    ("IP", r"(?i)\b((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){2,6}(?::[0-9a-f]{1,4}){1,5})\b", None),
    ("DEVICE", r"(?i)\b((?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2})\b", None),
    ("SSN", r"\b(\d{3}[-. ]\d{2}[-. ]\d{4})\b", None),
    ("SSN", r"(?i)\b(?:ssn?|social(?: security)?)(?: ?(?:number|no\.?|num|is|#))*[ :#]*(\d{9}|\d{3} ?\d{2} ?\d{4})\b", None),
    ("SSN", r"(?i)\b(?:ssn?|social(?: security)?(?: number)?)(?: ?(?:ending|ends|last (?:four|4)|digits|in|with|are|is))+[ :]*(\d{4})\b", None),
    ("PHONE", r"((?:\+?1[ .-]?)?(?:\(\d{3}\)[ -]?|\b\d{3}[ ./-])\d{3}[ .-]\d{4}(?:,? ?(?:x|ext\.?|extension) ?\d{1,5})?)\b", None),
    ("PHONE", r"(\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5})\b", check.digits(8)),
    ("PHONE", r"(?i)\b(?:phone|tel|telephone|cell|mobile|fax|pager|(?:call|reach|text|contact)(?: (?:me|him|her|them|us))?(?: (?:at|on))?)(?: (?:number|no\.?|is|#))*[ :.#]*(\d{3}[ .-]?\d{4}|\d{10}|\d{2,5}(?:[ .-]\d{2,5}){1,3})\b", check.digits(7)),
    ("PHONE", r"\b(\d{3}[ .-]\d{7}|0\d{1,4}[ -]\d{2,8}(?:[ -]\d{2,4}){0,3})\b", check.digits(9)),
    ("PHONE", r"(\(\d{2,4}\) ?\d{3,4}[ -]\d{3,4})\b", check.digits(8)),
    ("PHONE", r"\b(1?[2-9]\d{9})\b", None),
    ("DATE", rf"\b({_YEAR}-{_M}-{_D}|{_YEAR}/{_M}/{_D}|{_YEAR}\.{_M}\.{_D})(?:\b|T)", None),
    ("DATE", rf"\b({_M}/{_D}/{_YY}|{_M}-{_D}-{_YY}|{_M}\.{_D}\.{_YY}|{_M} {_D} {_YEAR}|{_M} ?/ ?{_D} ?/ ?{_YEAR})\b", None),
    ("DATE", rf"\b({_D}/{_M}/{_YY}|{_D}-{_M}-{_YEAR}|{_D}\.{_M}\.{_YEAR})\b", None),
    ("DATE", rf"(?i)\b((?:{_WEEKDAY}\.?,?\s)?{_MONTH}\.?[\s-]+(?:the )?{_DAY}(?: ?(?:-|to|through|and) ?(?:{_MONTH}\.? )?{_DAY})?(?:,?[\s-]+(?:of )?{_YY})?)\b", None),
    ("DATE", rf"(?i)\b((?:{_WEEKDAY}\.?,?\s)?{_DAY}(?: ?(?:-|to) ?{_DAY})?[\s-]*(?:of )?{_MONTH}\.?(?:,?[\s-]*'?{_YY})?)\b", None),
    ("DATE", rf"(?i)\b({_MONTH}\.?,?\s(?:of )?(?:{_YEAR}|'\d\d)|{_MONTH}[-/](?:{_YEAR}|\d\d))\b", None),
    ("DATE", rf"(?i)\b({_LONG_MONTH} (?:the )?{_ORDINAL}|(?:the )?{_ORDINAL} (?:day )?of {_LONG_MONTH})\b", None),
    ("DATE", rf"(?i)\b({_D} de {_SPANISH_MONTH}(?: del? {_YEAR})?)\b", None),
    ("DATE", rf"\b({_M}/{_YEAR})\b", None),
    ("DATE", rf"(?i)\b(?:on|since|until|till|by|dated?|seen|born|dob|dos|visit(?:ed)?|admitted|discharged|scheduled for|appointment|appt|called|between|through|thru|due|effective|starting|signed|updated|taken|drawn|collected|performed|received|refilled|last|next|week of|{_WEEKDAY})[ :]+({_M}/{_D}|{_M}-{_D})(?:[\s.,;:)?]|$)", None),
    ("DATE", rf"\b{_M}/{_D} ?(?:and|to|-|through|thru) ?({_M}/{_D})(?:[\s.,;:)?]|$)", None),
    ("DATE", rf"(?i)\b((?:last|this past|this coming|next|previous) (?:{_LONG_MONTH}|mon|monday|tuesday|wednesday|thursday|friday|saturday|sunday))\b", None),
    ("DATE", r"\b((?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))\b", None),
    ("DATE", rf"(?i)\b(?:dob|date of birth|born(?: on)?|birth ?date|d\.o\.b\.)[ :]*({_M}[ ./-]{_D}[ ./-]\d{{2,4}}|\d{{6,8}})\b", None),
    ("AGE", r"(?i)\b((?:9\d|1[0-2]\d)) ?-? ?(?:years?|yrs?|y/o|yo|y\.o|y)\b", None),
    ("DATE", r"(?i)\b(?:born|b\.|birth year|year of birth|yob|dob)[ :]+(?:in )?(?:the year )?((?:18|19)\d\d)\b", check.born_long_ago),
    ("AGE", r"(?i)\b(?:age|aged|ages)[ :]+(?:of )?((?:9\d|1[0-2]\d))\b", None),
    ("AGE", r"(?i)\b(?:died|dead|deceased|passed(?: away)?|lived|living)(?: (?:at|to|until|aged?|the|of))+ ((?:9\d|1[0-2]\d))(?:[\s.,;:)]|$)", None),
    ("AGE", r"(?i)\b(?:he|she|patient|pt|who)(?: is|'s)(?: now)? ((?:9\d|1[0-2]\d))(?:[.,;)](?:\s|$)|$)", None),
    ("AGE", r"(?i)\b((?:ninety|(?:one |a )?hundred)(?:[ -](?:and )?(?:one|two|three|four|five|six|seven|eight|nine|ten))?)[ -]years?\b", None),
    ("STREET", rf"\b(\d{{1,6}}[A-Za-z]? (?:[NSEW]{{1,2}}\.? )?(?:[A-Z0-9][A-Za-z0-9.'-]* ){{1,4}}{_STREET}\b\.?{_UNIT})", None),
    ("STREET", rf"(?i)\b(\d{{1,6}} (?:[a-z0-9'-]+ ){{1,3}}{_LONG_STREET}\b{_UNIT})", None),
    ("STREET", r"(?i)\b(p\.?\s?o\.? box \d+)\b", None),
    ("STREET", rf"(?i)\b(?:lives?|living|resid(?:es|ing)|address)(?: (?:at|on|is))?[ :]+(\d{{1,6}} [a-z][a-z0-9'.-]*(?: [a-z][a-z'.-]+)?{_UNIT})", None),
    ("GEO", rf"\b((?:{_STATE}),? \d{{5}}(?:-\d{{4}})?)\b", None),
    ("GEO", rf"\b((?:(?:[A-Z][A-Za-z'.-]*|of|and|the|&|for) )*(?:[A-Z][A-Za-z'.-]*[a-z.]|[A-Z]{{2,5}}) {_FACILITY}(?: of [A-Z][a-z]+)?)\b", check.facility),
    ("GEO", rf"\b((?:(?:St|Ft|Mt|Ste)\. )?{_CAPITAL}(?: {_CAPITAL}){{0,2}}(?:, ?{_STATE}(?:,? \d{{5}}(?:-\d{{4}})?)?|,? {_STATE},? \d{{5}}(?:-\d{{4}})?))\b", check.town),
    ("GEO", r"(?i)\bzip(?:[ -]?codes?)?(?: is)?[ :#]*(\d{5}(?:-\d{4})?|\d{3})\b", None),
    ("MRN", rf"(?i)\b(?:mrn?|mr ?#|e?mr|ehr|med(?:ical)?\.? rec(?:ord)?s?|records?|chart|patient (?:id|no\.?|number|#)|pt\.? ?(?:id|#|no)|hospital (?:no\.?|number)|unit number){_NO}{_VALUE}\b", check.digits(3)),
    ("PLAN", rf"(?i)\b(?:plan|group|ins|insured|beneficiary|medicare|medicaid|hicn?|mbi|hmo|ppo|payer|health plan|coverage)(?: ?(?:id|number|no\.?|policy|plan|card))*{_NO}{_VALUE}\b", check.digits(4)),
    ("PLAN", rf"(?i)\b(?:member|subscriber|policy|insurance|beneficiary|hicn?|mbi)(?: ?(?:id|number|no\.?|policy|plan|card))*{_NO}(?:(?-i:[A-Z])[a-z]+ )?{_VALUE}\b", check.digits(3)),
    ("ACCOUNT", rf"(?i)\b(?:accounts?|acct|acc|invoice|claim|billing|bill|routing|iban|credit card|card|receipt|statement)(?: ?(?:id|number|no\.?))*{_NO}{_VALUE}\b", check.digits(4)),
    ("ACCOUNT", r"\b((?:4\d{3}|5[1-5]\d{2}|6011|3[47]\d{2})[ -]?\d{4,6}[ -]?\d{4,5}(?:[ -]?\d{4})?)\b", check.digits(13)),
    ("ACCOUNT", r"\b([A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?)\b", check.digits(10)),
    ("LICENSE", rf"(?i)\b(?:licen[cs]e|lic|certificate|cert|dea|npi|passport|driver'?s|dl){_NO}{_VALUE}\b", check.digits(4)),
    ("LICENSE", r"\b([ABCDEFGHJKLMPRSTUX][A-Z9]\d{7})\b", None),
    ("DEVICE", rf"(?i)\b(?:serial|device|pacemaker|icd|implant|pump|lot|imei|udi|model|s/n|sn){_NO}{_VALUE}\b", check.digits(4)),
    ("DEVICE", r"\b((?:SN|LOT|PM|UDI|IMEI)[-:#]?[A-Z0-9]*\d{4}[A-Z0-9]*)\b", None),
    ("VEHICLE", rf"(?i)\b(?:vin|(?:vehicle )?(?:licen[cs]e |registration )?plates?|vehicle|tag)\b{_NO}([a-z0-9]{{1,4}}[- ]?[a-z0-9]{{2,5}}(?:[- ][a-z]{{0,3}}\d[a-z0-9]{{0,3}})?|[a-z0-9]{{17}})\b", check.digits(2)),
    ("VEHICLE", r"\b([A-HJ-NPR-Z0-9]{17})\b", check.vin),
    ("OTHERID", rf"(?i)\b(?:case|site|study|subject|specimen|accession|encounter|visit|order|requisition|ref(?:erence)?|rx|prescription|ticket|badge|employee|student|user|confirmation|sample|participant|enrollment|device user|file|tracking)(?: ?(?:id|number|no\.?|#))(?: is)?[\s:#=.]*{_VALUE}\b", check.digits(3)),
    ("OTHERID", rf"(?i)\b(?:accession|claim|specimen|requisition|confirmation)[\s:#=.]+{_VALUE}\b", check.digits(4)),
    ("OTHERID", r"(?i)\b((?:case|site|accession) ?(?:id|no\.?|#)[\s:#]*[a-z0-9-]*\d[a-z0-9-]*)\b", check.digits(3)),
    ("OTHERID", rf"(?i)\b(?:id|ids|identifier)(?: ?(?:number|no\.?|is|#))*[\s:#=]+{_VALUE}\b", check.digits(4)),
    ("OTHERID", r"\b([A-Z]{1,5}-\d{5,}[A-Z]{0,2}|[A-Z]{2,4}\d{6,}|#[A-Z0-9-]*\d{4,}[A-Z0-9-]*)\b", check.no_registry),
    ("OTHERID", r"(?:^|[^\d.,/%])\b(\d{7,})\b", None),
    ("NAME", rf"\b(?i:{_TITLE})\.?\s({_FULL_NAME})", check.in_title),
    ("NAME", rf"\b{_TITLE}\.?\s([A-Z]{{2,}}(?:[ -][A-Z]{{2,}})?)\b", None),
    ("NAME", rf"\b{_TITLE}\.? ([A-Z]\.(?: ?[A-Z]\.)?)(?:[^A-Za-z]|$)", None),
    ("NAME", r"\b(?i:dr|mr|mrs|ms|miss|mx)\.? ([A-HJ-Z])(?:[^A-Za-z.&/-]|$)", None),
    ("NAME", r"\b(?i:(?:pt|patient)(?: name)?|name|attending|provider|physician|surgeon): {0,4}([A-Z][A-Z'-]+(?:, [A-Z][A-Z'-]+)?)\b", check.likely_name),
    ("NAME", r"\b(?:dr|mr|mrs|ms|miss|doctor|nurse|mister|misses|prof)\.?\s([a-z]+(?:['-][a-z]+)?)\b", check.in_title),
    ("NAME", rf"\b(?i:my|his|her|their|patient's|the) {_KIN}(?:'s name is|, named| named| is|,)? ({_FULL_NAME})", check.in_title),
    ("NAME", rf"\b(?i:{_KIN}|{_HELPER})(?:,|:)? ({_FULL_NAME})", check.likely_name),
    ("NAME", rf"\b(?i:attn|attention|cc)[:.]? ({_FULL_NAME})", check.likely_name),
    ("NAME", rf"(?i)\b(?:my|his|her|their|patient's) {_KIN},? ([a-z]{{3,}})\b", check.on_the_lists),
    ("NAME", rf"\b(?i:name is|name's|me llamo|mi nombre es|se llama|goes by) ({_FULL_NAME})", check.in_title),
    ("NAME", rf"\b(?i:this is|i am|i'm|named|called|known as|a\.?k\.?a\.?) ({_FULL_NAME})", check.on_the_lists),
    ("NAME", r"(?i)\b(?:my name is|name's|named|me llamo|mi nombre es) ([a-z]{3,})\b", check.on_the_lists),
    ("NAME", rf"\b(?i:name|pt|patient|patient name|provider|attending|emergency contact|next of kin|signed(?: by)?|regards|sincerely|dear|contact|guarantor|physician|surgeon|author|cc)[:,] {{0,3}}(?:{_TITLE}\.? )?({_CAPITAL}, {_CAPITAL}(?: [A-Z]\b\.?)?|{_FULL_NAME})", check.in_title),
    ("NAME", rf"\b({_CAPITAL}(?: [A-Z]\.?)?(?: {_CAPITAL}){{1,2}}),? {_DEGREE}", None),
    ("NAME", rf"\b({_CAPITAL} [A-Z]\.)(?:[,?;:)]|[ ](?:[a-z(]|who|[\-])|$)", check.on_the_lists),
)  # fmt: skip
