"""English word tables for comparing two questions, written for this package. Data only; other languages fall through.

Each table serves one purpose: words that carry no content, spellings and synonyms that are one word, and the classes of
words whose change turns a question into another (numbers, units, negations, opposites, tense, persons).
"""

from itertools import combinations
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _groups(table: str) -> list[list[str]]:
    return [group.split() for group in table.split(",")]


def _to_first(table: str) -> dict[str, str]:
    """Every word of a group stands for the group's first."""
    return {word: group[0] for group in _groups(table) for word in group}


CONTRACTED: Final = {
    "won't": "will not", "can't": "can not", "cannot": "can not", "shan't": "will not", "ain't": "is not",
    "wont": "will not", "cant": "can not", "dont": "do not", "doesnt": "does not", "didnt": "did not",
    "isnt": "is not", "arent": "are not", "wasnt": "was not", "werent": "were not", "couldnt": "could not",
    "shouldnt": "should not", "wouldnt": "would not", "hasnt": "has not", "havent": "have not", "hadnt": "had not",
    "im": "i am", "ive": "i have", "youre": "you are", "theyre": "they are", "whats": "what is", "wheres": "where is",
    "hows": "how is", "whos": "who is", "thats": "that is", "let's": "let", "gonna": "will", "wanna": "want to",
    "gotta": "must", "'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "n't": "not",
}  # fmt: skip
# 's after these is `is`; after other words it marks a possessor.
IS_AFTER: Final = _words("what who where when why how it that there here he she this")

# Carry no content of their own: articles, auxiliaries, prepositions, politeness, and what merely introduces a question.
FUNCTION: Final = _words("""
    a an the this that these those some any such it its itself there here
    am is are was were be been being do does did done doing have has had having
    can could may might will would shall should must ought able possible possibly
    i me my mine myself you your yours yourself we us our ours one ones
    to of in on for at by with from into onto as about per and or but so if than then also too
    what which whats who whom whose when where why how whether
    please kindly thanks thank hi hello hey dear sir just really actually exactly basically very quite simply ever
    tell know wonder wondering explain describe give want like need get got let help
    ok okay well etc eg ie s t
    """)
# Frequent words that tell English from its neighbours.
ENGLISH: Final = _words("the and to that for with you my have this from when are it not what how which who their his")
# Words of FUNCTION whose place in the sentence says who does what to whom.
ROLES: Final = _words("of in on for at by with from into onto to than as about")
COORDINATING: Final = _words("and or between vs versus both either & plus")

SPELLING: Final = _to_first("""
    color colour, favorite favourite, email mail, center centre, organize organise, license
    licence, program programme, check cheque, jewelry jewellery, aluminum aluminium, tire tyre, gray grey, pajamas
    pyjamas, traveler traveller, canceled cancelled, theater theatre, fiber fibre, liter litre, meter metre, yes
    yeah yep yup, no nope nah, ok okay, doctor dr, mister mr, versus vs, photo photograph pic picture image, info
    information, app application, phone telephone cellphone, tv television telly, fridge refrigerator, ad advert
    advertisement, us usa america, uk britain, dad father, mom mum mother, grandma grandmother, grandpa
    grandfather, bike bicycle, math maths mathematics, exam examination, lab laboratory, repo repository, config
    configuration, docs documentation, db database, admin administrator, auth authentication, vet veterinarian, flu
    influenza
""")

# Only words that may be exchanged in nearly every question; a doubtful pair costs more than it gains.
SYNONYMS: Final = _to_first("""
    buy purchase, fix repair mend, delete erase, begin commence, end finish, big large huge, small little tiny, fast
    quick quickly rapid rapidly swiftly, child kid children kids, woman lady women ladies, man guy men guys, car
    automobile, job occupation, shop store, movie film, rich wealthy, happen occur, way method manner, choose select
    pick, show display, modify change alter, assist help, error mistake, answer reply respond response, require
    need, obtain acquire, permit allow, good great best better nice, bad worst worse, important crucial essential,
    difference distinction, difficult hard tough, easy easily simple, correct right proper, allergy allergic,
    physician doctor, medication medicine drug, illness sickness, stomach belly tummy, vomit puke, tired exhausted,
    purpose aim goal, salary wage wages, rubbish garbage trash, lift elevator, holiday vacation, flat apartment,
    attorney lawyer, cost price, cheap inexpensive, approximately roughly, maximum max, minimum min, receive get,
    currently now presently, frequently often, usually normally typically generally, also too, reset re-set, login
    logon signin, lose misplace
""")

_DIGITS: Final = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty
"""
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBERS: Final = {word: str(value) for value, word in enumerate(_DIGITS.split())}
NUMBERS.update({word: str(10 * value) for value, word in enumerate(_TENS.split(), 2)})
NUMBERS.update({"half": "0.5", "dozen": "12", "twice": "2", "double": "2", "once": "1", "triple": "3", "couple": "2"})
NUMBERS.update({"first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "sixth": "6"})
MAGNITUDES: Final = {"hundred": 100, "thousand": 10**3, "k": 10**3, "million": 10**6, "billion": 10**9, "bn": 10**9}

UNITS: Final = _to_first("""
    mg milligram milligrams, mcg microgram micrograms µg ug, g gram grams gramme grammes gm, kg kilo kilos kilogram
    kilograms, lb lbs pound-weight, oz ounce ounces, ton tons tonne tonnes, ml milliliter milliliters millilitre
    millilitres, l liter liters litre litres, gallon gallons gal, cup cups, tablespoon tablespoons tbsp, teaspoon
    teaspoons tsp, mm millimeter millimeters millimetre millimetres, cm centimeter centimeters centimetre
    centimetres, m meter meters metre metres, km kilometer kilometers kilometre kilometres kms, mile miles mi, inch
    inches, foot feet ft, yard yards, second seconds sec secs, minute minutes mins, hour hours hr hrs, day days
    daily, night nights nightly, week weeks weekly, fortnight fortnights, month months monthly, quarter quarters
    quarterly, year years yearly annual annually yr yrs, decade decades, celsius centigrade °c c, fahrenheit °f f,
    kelvin, dollar dollars usd $, euro euros eur €, pound pounds gbp £ quid, rupee rupees inr rs ₹, yen jpy ¥,
    percent % percentage, bit bits, byte bytes, kb kilobyte kilobytes, mb megabyte megabytes, gb gigabyte gigabytes,
    tb terabyte terabytes, mbps megabit megabits, mph, kph kmh, calorie calories kcal, watt watts, kw kilowatt
    kilowatts, kwh, volt volts, amp amps ampere amperes, hz hertz, ghz gigahertz, mhz megahertz, am a.m., pm p.m.
""")

CALENDAR: Final = _to_first("""
    january jan, february feb, march-month mar, april apr, may-month, june jun, july jul, august aug, september sept
    sep, october oct, november nov, december dec, monday mondays mon, tuesday tuesdays tue, wednesday wednesdays
    wed, thursday thursdays thu, friday fridays fri, saturday saturdays, sunday sundays, weekend weekends, weekday
    weekdays, today tonight, tomorrow, yesterday, spring, summer, autumn fall-season, winter, morning mornings,
    afternoon afternoons, evening evenings, noon midday, midnight, christmas xmas, easter
""")

NEGATIONS: Final = _words("""
    no not non never none nor neither nothing nobody nowhere without hardly barely rarely unable except exclude
    excluding stop stopped avoid prevent refuse refused fail fails failed failing lack lacking
    """)
# A word is the opposite of what is left of it without one of these.
NEGATING: Final = ("un", "in", "im", "ir", "il", "dis", "non", "de", "mis", "anti", "a")

OPPOSITES: Final = frozenset(
    frozenset((one, other))
    for group in _groups("""
    start stop, start end, begin end, open close, open shut, on off, in out, up down, before after, above below,
    over under, inside outside, more less, more fewer, most least, max min, maximum minimum, high low, higher lower,
    highest lowest, big small, bigger smaller, biggest smallest, long short, longer shorter, longest shortest, tall
    short, fast slow, faster slower, fastest slowest, heavy light, old young, old new, older younger, older newer,
    oldest youngest, oldest newest, early late, earlier later, earliest latest, first last, next previous, good bad,
    best worst, better worse, hot cold, warm cool, wet dry, hard soft, easy difficult, easier harder, rich poor,
    strong weak, cheap expensive, full empty, true false, right wrong, right left, yes no, male female, man woman,
    boy girl, husband wife, son daughter, brother sister, mom dad, king queen, buy sell, buy rent, lend borrow, give
    take, give receive, send receive, push pull, add remove, insert remove, add delete, create delete, install
    uninstall, enable disable, allow forbid, allow deny, allow block, allow prevent, accept reject, accept decline,
    approve reject, approve decline, grant revoke, increase decrease, increase reduce, raise lower, raise reduce,
    gain lose, gain loss, win lose, profit loss, import export, upload download, upgrade downgrade, encrypt decrypt,
    encode decode, compress decompress, compress extract, lock unlock, mute unmute, subscribe unsubscribe, follow
    unfollow, connect disconnect, login logout, enter leave, enter exit, arrive leave, arrive depart, arrival
    departure, come go, remember forget, love hate, like hate, like dislike, hire fire, marry divorce, deposit
    withdraw, deposit withdrawal, debit credit, income expense, income outcome, asset liability, supply demand,
    lease buy, borrow save, save spend, earn spend, pass fail, success failure, succeed fail, cause cure, cause
    prevent, cause treat, symptom cause, symptom treatment, prevent treat, cause treatment, advantage disadvantage,
    pro con, benefit risk, benefit drawback, strength weakness, positive negative, plus minus, include exclude,
    public private, internal external, input output, read write, client server, employer employee, teacher student,
    buyer seller, landlord tenant, lender borrower, parent child, doctor patient, host guest, domestic
    international, north south, east west, northern southern, eastern western, day night, morning evening, summer
    winter, breakfast dinner, inbound outbound, outgoing incoming, inner outer, front back, top bottom, upper lower,
    major minor, majority minority, ascend descend, ascending descending, horizontal vertical, row column, sync
    async, synchronous asynchronous, local remote, local global, static dynamic, mutable immutable, legal illegal,
    safe dangerous, safe unsafe, alive dead, birth death, born die, war peace, friend enemy, hypertension
    hypotension, hyperthyroidism hypothyroidism, hyperglycemia hypoglycemia, type1 type2, acute chronic, benign
    malignant, vegan vegetarian, liquid solid, single married, single double, single multiple, one-way return,
    oneway return, refund charge, refund payment, pay receive, owe own, cancel book, cancel confirm, cancel renew,
    pause resume, activate deactivate, freeze unfreeze, block unblock, attach detach, merge split, push pop,
    minimize maximize, minimum maximum, always never, always sometimes, all some, all none, every some, everyone
    nobody, each every, only also, against for, with without, since until, gross net, fixed variable, wholesale
    retail, renew expire, shrink grow, loosen tighten, freeze thaw, sit stand, sleep wake, hide show, build destroy,
    attack defend, export import, fill empty, to from, into from
""")
    for one, other in combinations(group, 2)
)

# `how` with one of these asks for a measure.
MEASURES: Final = _words(
    "many much long old often far tall big high deep fast soon late heavy wide large hot cold likely"
)
# Opens a request that is no question in form.
IMPERATIVE: Final = _words("list describe name define explain give suggest recommend summarize")
# Beside these a past form is a participle and says no tense.
BEING: Final = _words("am is are was were be been being have has had get got")
# With `this` and `these`: the question is about something that is not in it.
POINTING: Final = _words("following below above attached")
# Before `I`: the answer depends on who asks.
OF_ASKER: Final = _words("am was will would should shall")
SUBJECT: Final = _words("i we")
OF_POSSESSOR: Final = _words("my our")
OBJECT: Final = _words("me us")
HAVE_TO: Final = frozenset({("have", "to"), ("has", "to"), ("had", "to"), ("need", "to"), ("needs", "to")})
# One of these for another says something else: pay with it, pay for it. (Of, in, on and at are often exchanged.)
TELLING: Final = _words("for with from about by to")
FIRST_PERSON: Final = _words("i me my mine myself we us our ours")
SECOND_PERSON: Final = _words("you your yours yourself")
THIRD_PERSONS: Final = _to_first("""
    he him his himself, she her hers herself, they them their theirs themselves
""")

PAST: Final = _words("did was were had")
PRESENT: Final = _words("do does is are am has have")
FUTURE: Final = _words("will shall")
OBLIGATION: Final = _words("should must ought shall")
AUXILIARIES: Final = PAST | PRESENT | FUTURE | OBLIGATION | _words("can could may might would")

# Base form, then its past forms. Regular ones are found by their endings.
_IRREGULAR: Final = """
    become became, begin began begun, bite bit bitten, break broke broken, bring brought, build built, buy bought,
    catch caught, choose chose chosen, come came, draw drew drawn, drink drank drunk, drive drove driven, eat ate eaten,
    fall fell fallen, feel felt, fight fought, find found, fly flew flown, forget forgot forgotten, freeze froze frozen,
    get got gotten, give gave given, go went gone, grow grew grown, hear heard, hide hid hidden, hold held, keep kept,
    know knew known, learn learnt, leave left, lend lent, lose lost, make made, mean meant, meet met, pay paid,
    ride rode ridden, rise rose risen, run ran, say said, see saw seen, sell sold, send sent, shake shook shaken,
    sing sang sung, sink sank sunk, sit sat, sleep slept, speak spoke spoken, spend spent, stand stood,
    steal stole stolen, swim swam swum, take took taken, teach taught, tell told, think thought, throw threw thrown,
    understand understood, wake woke woken, wear wore worn, win won, write wrote written, invent invented, die died
"""
IRREGULAR: Final = {form: forms[0] for line in _IRREGULAR.split(",") for forms in [line.split()] for form in forms[1:]}
PLURALS: Final = {
    "children": "child", "men": "man", "women": "woman", "people": "person", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "wives": "wife", "knives": "knife",
    "indices": "index", "analyses": "analysis", "criteria": "criterion", "does": "do",
}  # fmt: skip
