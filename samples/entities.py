"""Sentences with named entities: news, orders, events, appointments at the doctor's, sports.

A template has ``<type>`` in the place of an entity; everything else is outside. The held-out sources have
their own people and places, in the same kinds of contexts, and each has one type that no other source has.
Some names fit several types, so that the context must decide.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from phrases import Slots, expand, lines, split_phrases

Sentence = list[tuple[str, str]]

OUTSIDE = "O"


@dataclass(frozen=True)
class Notes:
    """One domain: its templates, the slots for common words, and the names of each entity type."""

    name: str
    templates: list[str]
    words: Slots
    entities: Slots


def sample_sentences(notes: Notes, rng: random.Random) -> Iterator[Sentence]:
    """Generate sentences of ``notes`` as pairs of a word and its BIO tag, endlessly; they may repeat."""
    while True:
        template = rng.choice(notes.templates)
        if rng.random() < 0.12:
            template += " " + rng.choice(notes.templates)
        is_lower_case = rng.random() < 0.08
        sentence: Sentence = []
        for part in _separate_punctuation(expand(template, notes.words, rng)).split():
            if part.startswith("<"):
                entity_type = part[1:-1]
                words = expand(rng.choice(notes.entities[entity_type]), COMMON, rng).split()
                tags = [f"B-{entity_type}"] + [f"I-{entity_type}"] * (len(words) - 1)
                sentence.extend(zip(words, tags, strict=True))
            else:
                sentence.append((part, OUTSIDE))
        if not is_lower_case:
            first, tag = sentence[0]
            sentence[0] = (first[:1].upper() + first[1:], tag)
        else:
            sentence = [(word.lower(), tag) for word, tag in sentence]
        yield sentence


def _separate_punctuation(text: str) -> str:
    """Put spaces around punctuation, as NER corpora do."""
    for mark in ",.?!;:":
        text = text.replace(f"{mark} ", f" {mark} ")
        if text.endswith(mark):
            text = f"{text[:-1]} {mark}"
    return text


COMMON = {
    "first": split_phrases(
        "Anna; Peter; Maria; Tom; Lucy; Ahmed; Elena; Victor; Nadia; Oscar; Florence; Sofia; Liam;"
        "Jordan; Grace; Ravi; Helen; Marco; Irene; Paul; Dora; Felix; Austin; Yuki; Sydney"
    ),
    "last": split_phrases(
        "Miller; Santos; Novak; Chen; Okafor; Baker; Rossi; Weber; Silva; Hansen; Kumar; Lopez;"
        "Field; Carter; Moreau; Ivanova; Stone; Fischer; Brook; Haddad; Lund; Wood; Tanaka"
    ),
    "other_first": split_phrases(
        "Anna; Peter; Julia; Emil; Sara; Hugo; Clara; Omar; Ines; Leo; Marta; Noah; Paris; Ruth;"
        "Kofi; Georgia; Ben; Zoe; Martin; Lena; Diego; Amir"
    ),
    "other_last": split_phrases(
        "Bauer; Costa; Diallo; Hill; Nowak; Kim; Park; Schmidt; Reyes; Olsen; Marsh; Vidal; Quinn;"
        "Banks; Perez; Larsen; Shaw; Cook; Rivers; Adeyemi; Brown"
    ),
    "month": split_phrases("January; March; April; May; June; August; September; October; December"),
    "weekday": split_phrases("Monday; Tuesday; Wednesday; Thursday; Friday; Saturday; Sunday"),
    "day": [str(day) for day in range(1, 29)],
    "year": [str(year) for year in range(1998, 2027)],
    "town": split_phrases(
        "London; Lisbon; Vienna; Bergen; Cairo; Boston; Rome; Prague; Sydney; Florence; Austin;"
        "Oslo; Lima; Geneva; Toronto; Delhi; Porto; Kyoto; Leeds; Bristol; Jordan; Chad"
    ),
    "other_town": split_phrases(
        "Madrid; Dublin; Warsaw; Hamburg; Paris; Georgia; Lagos; Turin; Chicago; Seville; Ghent;"
        "Denver; Cork; Bath; Lyon; Malmo; Brno; Perth; Rome; London"
    ),
    "colour": split_phrases("Red; Blue; Green; White; Golden; Black; Silver"),
    "kind": split_phrases("wooden; small; large; folding; old; plastic"),
    "side": split_phrases("North; South; East; West; Upper; Lower"),
    "count": split_phrases("two; three; four; five; six; ten; twelve; twenty; 2; 4; 8; 15; 40; 250"),
}
PEOPLE = lines("""
    {first} {last}
    {first} {last}
    {first} {last}
    {first}
    [Mrs|Mr|Dr] {last}
""")
OTHER_PEOPLE = lines("""
    {other_first} {other_last}
    {other_first} {other_last}
    {other_first} {other_last}
    {other_first}
    [Mrs|Mr] {other_last}
""")
PLACES = lines("""
    {town}
    {town}
    {side} {town}
    New {town}
    {town} [Airport|Harbour|Station]
    Lake {first}
    {last} [Square|Street|Park|Bridge]
""")
OTHER_PLACES = lines("""
    {other_town}
    {other_town}
    {other_town}
    {side} {other_town}
    {other_last} [Square|Street|Road|Park]
""")
DATES = lines("""
    {day} {month}
    {day} {month} {year}
    {weekday}
    [last|next|this] {weekday}
    {month} {day}
    [yesterday|today|tomorrow]
    [last|next] [week|month|spring|summer]
    {weekday} , {day} {month}
    {month} {year}
""")

NEWS = Notes(
    "news-notes",
    lines("""
        <PER> , [head|president|chairman|director] of <ORG> , [resigned|stepped down] <DATE>.
        <PER> [visited|left|flew to|arrived in|travelled to] <LOC> on <DATE>.
        <ORG> [opened|closed|is building] a [factory|school|new office] in <LOC>.
        the [storm|flood|fire|earthquake] hit <LOC> on <DATE>.
        <PER> and <PER> met in <LOC> {why}.
        <ORG> said that {profit} fell in <DATE>.
        {people} in <LOC> protested against <ORG>.
        <PER> was born in <LOC> and lives in <LOC>.
        on <DATE> , <ORG> [bought|sold|took over] <ORG>.
        the [mayor|police chief|bishop] of <LOC> , <PER> , {spoke}.
        <PER> works for <ORG> in <LOC>.
        <PER> has been with <ORG> since <DATE>.
        a [train|bus|plane] from <LOC> to <LOC> was delayed on <DATE>.
        <ORG> named <PER> as its new [director|speaker|boss].
        no comment , said <PER> of <ORG>.
        {people} thanked <PER> for {why}.
        <LOC> and <LOC> signed a treaty <DATE>.
        the trial of <PER> begins <DATE> in <LOC>.
        <ORG> will pay {profit} to {people}.
        {people} say that {profit} will rise again.
        the road between <LOC> and <LOC> is closed until <DATE>.
        <PER> won the election in <LOC>.
        <ORG> , based in <LOC> , employs {people}.
        <PER> told <ORG> that {profit} is too low.
        it rained in <LOC> {why}.
        {people} waited , but nothing happened.
        <ORG> and <PER> {spoke} on <DATE>.
        who is <PER> ?
    """),
    {
        "why": split_phrases(
            "to talk about peace; for the first time; because of the strike; for a short visit;"
            "after the vote; before the talks"
        ),
        "profit": split_phrases("the profit; the price of oil; the rent; the minimum wage; the budget"),
        "people": split_phrases(
            "hundreds of workers; many students; the farmers; two thousand people; the neighbours"
        ),
        "spoke": split_phrases("spoke to the press; answered questions; kept silent; agreed to the plan"),
    },
    {
        "PER": PEOPLE,
        "LOC": PLACES,
        "DATE": DATES,
        "ORG": lines("""
            {last} [Motors|Bank|Foods|Airlines|Steel|Media]
            {last} &amp; Sons
            {last} and {last}
            {town} University
            University of {town}
            {colour} Cross
            {colour} Party
            Bank of {town}
            {town} [Times|Post|Hospital]
            Workers' Union
            Ministry of [Health|Finance|Justice]
            {last}
        """),
    },
)
ORDERS = Notes(
    "orders",
    lines("""
        please send <quantity> <product> to <customer> by <date>.
        <customer> ordered <quantity> <product> on <date>.
        we need <quantity> <product> {soon}.
        <customer> wants <quantity> more <product>.
        i would like to order <quantity> <product> and <quantity> <product>.
        the <product> for <customer> will arrive <date>.
        <quantity> <product> , <quantity> <product> , {ask}.
        {ask} , <customer> is waiting for the <product>.
        <customer> returned <quantity> <product> because {fault}.
        the <product> that <customer> bought <date> {fault_plural}.
        can you deliver <quantity> <product> before <date> ?
        add <quantity> <product> to the order of <customer>.
        <customer> cancelled the <product> on <date>.
        there are only <quantity> <product> left in stock.
        the price of <product> went up <date>.
        send the bill to <customer>.
        <customer> paid on <date> , {ask}.
        do you still have <product> ?
        we are out of <product> until <date>.
        <customer> asked for <product> instead of <product>.
        {ask} and thank you , <customer>.
        thank you for your order , it leaves our house {soon}.
        <date> : <quantity> <product> for <customer>.
        <customer> and <customer> share <quantity> <product>.
        pack the <product> well , {fault_last_time}.
        <customer> picks up <quantity> <product> <date>.
        put <quantity> <product> aside for <customer> , {ask}.
        we only sell <product> from <quantity> on.
    """),
    {
        "soon": split_phrases("as soon as possible; this time; without delay; as always; for the party"),
        "ask": split_phrases("please confirm; let me know; please call first; no bill needed; it is urgent"),
        "fault": split_phrases("the colour was wrong; it came too late; the box was open; it was too small"),
        "fault_plural": split_phrases("never came; broke at once; were too big; are great"),
        "fault_last_time": split_phrases("some broke last time; the way is long; it may rain"),
    },
    {
        "customer": PEOPLE,
        "date": DATES,
        "quantity": lines("""
            {count}
            {count}
            {count} [boxes|bags|crates|packs|bottles] of
            {day} [kilos|kg|litres|metres] of
            [a dozen|half a dozen|two dozen]
            [a pair of|one hundred|a box of]
        """),
        "product": lines("""
            {kind} [chairs|tables|lamps|shelves]
            [red|white|blue|green] [wine|paint|roses|shirts|candles]
            [coffee|green tea|flour|rice|sugar|olive oil]
            [printer paper|envelopes|pencils|note books]
            [garden|kitchen|winter] [gloves|boots|knives]
            {last} [shoes|pens|knives]
            [screws|nails|light bulbs|batteries]
            [apples|oranges|onions|mint leaves]
        """),
    },
)
EVENTS = Notes(
    "events",
    lines("""
        the <event> takes place in <venue> on <day>.
        <event> starts at <time> {where}.
        do not miss the <event> <day> at <time> !
        {come} to <venue> for the <event>.
        <day> , <time> : <event> in <venue>.
        tickets for the <event> are sold at <venue>.
        the <event> was moved from <venue> to <venue>.
        because of the rain the <event> will be held on <day> instead.
        doors open at <time> , {come}.
        the <event> ends at <time>.
        <venue> hosts the <event> again <day>.
        who goes with me to the <event> in <venue> ?
        after the <event> we meet at <venue>.
        on <day> <venue> stays closed.
        the <event> is sold out , {come} <day>.
        from <time> to <time> there is music {where}.
        <venue> , <day> : {come}.
        <event> is free for children {where}.
        the bus to <venue> leaves at <time>.
        there is food and drink {where}.
        last year the <event> drew thousands to <venue>.
        the <event> was cancelled , the next one is on <day>.
        meet us at <time> in front of <venue>.
        <day> we celebrate the <event> {where}.
        be there before <time> , the <event> fills up fast.
        every <day> <venue> shows the <event>.
        {come} , the <event> has begun.
        at <time> the doors of <venue> close.
    """),
    {
        "where": split_phrases(
            "in the big hall; in the open air; on two stages; all day long; behind the church"
        ),
        "come": split_phrases("come early; bring your friends; come along; do come; you are welcome"),
    },
    {
        "event": lines("""
            {town} [Marathon|Film Festival|Book Fair|Jazz Night]
            [Spring|Summer|Winter|Autumn] [Concert|Market|Ball|Fair|Festival]
            {colour} Night
            Night of the [Museums|Lights|Poets]
            [Jazz|Chess|Dance|Wine] [Festival|Night|Weekend]
            {last} [Concert|Memorial|Cup]
            [flea market|pub quiz|poetry slam|puppet show]
        """),
        "venue": lines("""
            {town}
            {last} [Hall|Theatre|Arena|Park|Square]
            [Town Hall|City Park|Old Harbour|Market Square|Central Library]
            {colour} [Theatre|Lion|Barn]
            {town} [Castle|Museum|Arena]
            the [school yard|old mill|city museum]
        """),
        "day": DATES,
        "time": lines("""
            [seven|eight|nine|ten|half past six|noon|midnight]
            [7|8|9|10|11] [am|pm]
            [18|19|20|21]:[00|15|30|45]
            [two|three|four|five] o'clock
            [5|6]:[15|30] pm
        """),
    },
)
DOCTOR = Notes(
    "doctor-appointments",
    lines("""
        <PERSON> has had <SYMPTOM> since <DATE>.
        <PERSON> complains of <SYMPTOM> and <SYMPTOM>.
        next appointment for <PERSON> : <DATE>.
        <PERSON> from <PLACE> called because of <SYMPTOM>.
        please come to the surgery in <PLACE> on <DATE>.
        the <SYMPTOM> got worse <DATE>.
        <PERSON> was sent to the clinic in <PLACE> with <SYMPTOM>.
        can i see <PERSON> on <DATE> ?
        after a trip to <PLACE> , <PERSON> had <SYMPTOM>.
        no more <SYMPTOM> since <DATE>.
        <PERSON> moved the appointment to <DATE>.
        the pills help against <SYMPTOM> {often}.
        i wake up with <SYMPTOM> {often}.
        <PERSON> will look after <PERSON> <DATE>.
        blood test on <DATE> , result to <PERSON>.
        <PERSON> is on holiday in <PLACE> until <DATE>.
        my daughter has <SYMPTOM> and no appetite.
        <PERSON> asks whether <SYMPTOM> is normal after the operation.
        the practice in <PLACE> is closed <DATE>.
        take the drops {often} and rest.
        <DATE> : <PERSON> , <SYMPTOM> , {often}.
        does the <SYMPTOM> come back {often} ?
        <PERSON> cannot come <DATE> , she has <SYMPTOM>.
        the ambulance took <PERSON> from <PLACE> to <PLACE>.
        {often} <PERSON> feels <SYMPTOM>.
        bring your papers on <DATE> , says <PERSON>.
    """),
    {"often": split_phrases("in the morning; at night; twice a day; after meals; now and then")},
    {
        "PERSON": [*OTHER_PEOPLE, "Dr {other_last}", "Nurse {other_first}"],
        "PLACE": OTHER_PLACES,
        "DATE": DATES,
        "SYMPTOM": lines("""
            [back|chest|stomach|knee|neck] pain
            [bad|strong|dull|sharp] pain in the [arm|leg|left shoulder|foot]
            [headache|fever|cough|dizziness|nausea|itching]
            [high|slight|light] fever
            a [sore throat|dry cough|runny nose|stiff neck|red rash]
            [shortness of breath|loss of taste|trouble sleeping]
            swollen [feet|eyes|hands|glands]
        """),
    },
)
SPORTS = Notes(
    "sports-results",
    lines("""
        <team> beat <team> {score} in <place>.
        <player> scored {goals} for <team>.
        <team> lost to <team> on <date>.
        <player> of <team> was injured in <place>.
        <player> joins <team> <date>.
        <team> play <team> at home <date>.
        <player> won the race in <place>.
        {score} : <team> and <team> share the points.
        coach <player> left <team> on <date>.
        <player> and <player> are in the final in <place>.
        the match between <team> and <team> was moved to <date>.
        <place> will host the final <date>.
        <team> signed <player> from <team>.
        {fans} cheered when <player> came back.
        <team> have not won since <date>.
        a late goal by <player> saved <team>.
        <player> beat <player> {score} in <place>.
        {fans} travelled to <place> for the game.
        on <date> <team> fly to <place>.
        the referee sent off <player>.
        <player> , captain of <team> , scored {goals}.
        <team> stay on top of the table.
        {fans} had to wait until <date>.
        <player> broke the record in <place> <date>.
        without <player> , <team> {fell}.
        what a day for <team> and {fans} !
    """),
    {
        "score": split_phrases("2-1; 3-0; 4-4; 78-65; 6-3 6-4; 1-0; 5-2; 31-17"),
        "goals": split_phrases("twice; three goals; a penalty; ten points; the winner; in the last minute"),
        "fans": split_phrases("thousands of fans; the crowd; the home fans; the supporters"),
        "fell": split_phrases("fell apart; had no chance; were slow; found no way to the goal"),
    },
    {
        "player": OTHER_PEOPLE,
        "place": OTHER_PLACES,
        "date": DATES,
        "team": lines("""
            {other_town} [United|City|Rovers|Tigers|Hawks|Wolves]
            FC {other_town}
            {other_town}
            {colour} [Bulls|Sox|Stars|Devils]
            [Sporting|Real|Racing] {other_town}
            {side} {other_town} Bears
        """),
    },
)
