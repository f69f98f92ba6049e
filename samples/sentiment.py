"""Reviews of eight kinds of things and places, with a common vocabulary of praise and complaint.

Each domain has its own nouns and its own hand-written observations. Words of opinion are drawn from common
lists, of which each domain uses only a part.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from phrases import Slots, add_noise, expand, lines, sample_share, split_phrases

POSITIVE, NEUTRAL, NEGATIVE = "positive", "neutral", "negative"


@dataclass(frozen=True)
class Domain:
    """The phrases of one domain's reviews.

    ``place`` is what is reviewed, ``person`` is who served, and ``again`` is what a happy customer will do.
    ``praise``, ``remarks`` and ``complaints`` are the domain's own sentences.
    """

    name: str
    place: list[str]
    person: list[str]
    again: list[str]
    thing: list[str]
    things: list[str]
    praise: list[str]
    remarks: list[str]
    complaints: list[str]


def sample_reviews(domain: Domain, rng: random.Random, label: str) -> Iterator[str]:
    """Generate reviews of ``domain`` with one sentiment, endlessly; they may repeat."""
    share = 0.65
    slots: dict[str, list[str]] = {
        "good": sample_share(GOOD, rng, share),
        "bad": sample_share(BAD, rng, share),
        "okay": sample_share(OKAY, rng, share),
        "kind": sample_share(KIND, rng, share),
        "rude": sample_share(RUDE, rng, share),
        "place": domain.place,
        "person": domain.person,
        "again": domain.again,
        "thing": domain.thing,
        "things": domain.things,
        **COMMON,
    }
    clauses = {
        POSITIVE: (sample_share(PRAISE, rng, share), domain.praise),
        NEUTRAL: (sample_share(REMARKS, rng, share), domain.remarks),
        NEGATIVE: (sample_share(COMPLAINTS, rng, share), domain.complaints),
    }
    closings = {POSITIVE: HAPPY_ENDS, NEUTRAL: PLAIN_ENDS, NEGATIVE: UNHAPPY_ENDS}[label]
    while True:
        yield add_noise(_review(label, clauses, closings, slots, rng), rng)


def _review(
    label: str,
    clauses: dict[str, tuple[list[str], list[str]]],
    closings: list[str],
    slots: Slots,
    rng: random.Random,
) -> str:
    used: set[str] = set()

    def clause(of: str) -> str:
        common, own = clauses[of]
        pool = common if rng.random() < 0.6 else own
        template = rng.choice([template for template in pool if template not in used])
        used.add(template)
        return expand(template, slots, rng)

    parts = [clause(label)]
    shape = rng.random()
    if shape < 0.35:
        parts.append(clause(label))
    elif shape < 0.5 and label != NEUTRAL:
        # A concession: the sentiment is that of the last clause.
        other = clause(NEGATIVE if label == POSITIVE else POSITIVE)
        verdict = expand("[but|still,|but all in all,|in the end,|even so,]", slots, rng)
        parts = [f"{other}, {verdict} {parts[0]}"]
    elif shape < 0.65:
        parts.append(clause(NEUTRAL))
    if rng.random() < 0.2:
        parts.append(expand(rng.choice(closings), slots, rng))
    joint = rng.choice([". ", ", ", ". ", " and "])
    text = joint.join(parts)
    return expand(rng.choice(OPENINGS), slots, rng) + " " + text if rng.random() < 0.25 else text


GOOD = split_phrases(
    "great; excellent; lovely; wonderful; fantastic; superb; good; nice; brilliant; perfect;"
    "amazing; pleasant; delightful; impressive; outstanding; terrific; splendid; fabulous;"
    "beautiful; first class; very good; really nice; just right; as good as it gets"
)
BAD = split_phrases(
    "bad; awful; terrible; horrible; poor; disappointing; dreadful; useless; annoying; ugly;"
    "unacceptable; miserable; hopeless; shabby; pathetic; very bad; a joke; a disaster; a mess;"
    "a big letdown; below any standard; worse than before"
)
OKAY = split_phrases(
    "okay; average; ordinary; acceptable; so-so; unremarkable; nothing special; standard; passable;"
    "middling; what you would expect; neither here nor there; fair enough; all right; usual"
)
KIND = split_phrases(
    "friendly; helpful; kind; patient; polite; attentive; always smiling; very welcoming; generous;"
    "quick to help; cheerful; honest"
)
RUDE = split_phrases(
    "rude; unfriendly; impatient; careless; arrogant; never there; not interested; in a bad mood;"
    "dishonest; slow to answer; no help at all; grumpy"
)
COMMON = {
    "very": split_phrases("very; really; so; truly; quite; absolutely; ;;"),
    "when": split_phrases("today; yesterday; last week; this time; again; on Saturday; this morning; ;;;"),
    "who": split_phrases("i; we; my husband and i; my sister and i; my family and i"),
    "whom": split_phrases("anyone; my friends; everybody; all my family; my colleagues"),
}
OPENINGS = lines("""
    well,
    honestly,
    to be fair,
    update:
    hi all,
    my opinion:
    first visit and probably not the last review:
    after [two|three|six] [weeks|months]:
    a short note on {place}:
    as a regular customer:
    hm,
""")
HAPPY_ENDS = lines("""
    thank you
    keep it up
    highly recommended
    five stars from me
    {who} will {again}
    worth every cent
    love it
    could not be happier
    what more could you want
""")
PLAIN_ENDS = lines("""
    three stars
    that is all
    no more and no less
    make up your own mind
    hard to say more
    it depends on what you want
    for now
""")
UNHAPPY_ENDS = lines("""
    never again
    stay away
    one star is too much
    save your money
    {who} will not {again}
    not recommended
    what a waste of money
    i want my money back
    avoid
""")
PRAISE = lines("""
    the {thing} [is|was] {very} {good} {when}
    the {things} [are|were] {very} {good} {when}
    the {thing} is {good} and the {things} are {good} too
    {who} [love|loved|enjoyed|adore] the {thing}
    {who} [love|loved|enjoyed|adore] the {things} {when}
    i can only recommend {place} to {whom}
    {person} [is|was] {kind} and {kind}
    {person} [is|was] {very} {kind} {when}
    what a {good} {thing}
    not a single problem with the {thing}
    nothing bad to say about the {things}
    the {thing} is not bad at all, in fact it is {good}
    {who} expected less and were happily surprised by the {thing}
    {place} is better than [expected|i thought|all the others]
    {who} will {again} [soon|for sure|without a doubt]
    five stars for the {thing}
    i am more than happy with the {thing}
    i could not find a fault with the {things}
    the {thing} made [my day|us smile|me happy]
    {place} has become my favourite
    the best {thing} [i know|in years|for this money]
    the {thing} is a pleasure and the {things} never disappoint
    thanks to {person}, everything went well
    everything about the {thing} is {good}
    i was worried about the {things}, for no reason at all
    you will not regret it, the {thing} is {good}
    the {things} deserve all the praise
    {place} keeps its promises
    so glad that {who} found {place}
    i have nothing to complain about
""")
COMPLAINTS = lines("""
    the {thing} [is|was] {very} {bad} {when}
    the {things} [are|were] {very} {bad} {when}
    the {thing} is {bad} and the {things} are {bad} too
    {who} [hate|hated|regret|disliked] the {thing}
    {who} [hate|hated|cannot stand] the {things} {when}
    i cannot recommend {place} to {whom}
    {person} [is|was] {rude} and {rude}
    {person} [is|was] {very} {rude} {when}
    what a {bad} {thing}
    nothing but trouble with the {thing}
    nothing good to say about the {things}
    the {thing} is not {good} at all
    the {things} were far from {good} {when}
    {who} expected more and were let down by the {thing}
    {place} is worse than [expected|i thought|all the others]
    {who} will never {again}
    one star for the {thing}, because zero is not possible
    i am fed up with the {thing}
    it is a shame how {person} treats customers
    the {thing} ruined [my day|our week|everything]
    {place} has gone downhill
    the worst {thing} [i know|in years|for this money]
    the {thing} is a pain and the {things} always disappoint
    thanks to {person}, everything went wrong
    everything about the {thing} is {bad}
    i should have listened to the warnings about the {things}
    you will regret it, the {thing} is {bad}
    they say the {things} are {good}, that is simply not true
    {place} breaks its promises
    so sorry that {who} ever found {place}
    i complained about the {thing} and nobody cared
    the {thing} does not deserve the praise
""")
REMARKS = lines("""
    the {thing} [is|was] {okay} {when}
    the {things} [are|were] {okay} {when}
    the {thing} is {okay} and the {things} are {okay} too
    the {thing} is neither {good} nor {bad}
    {who} have no strong opinion about the {thing}
    {person} [was neither friendly nor rude|did what was needed|said little]
    the {thing} is {good}, the {things} are {bad}, so it evens out
    the {things} are {good} on some days and {bad} on others
    a {thing} like any other
    {place} does the job
    {place} is about the same as [expected|the others|before]
    {who} may {again}, or may not
    the {thing} has its good and its bad sides
    not great, not terrible, just {okay}
    i have seen better {things} and i have seen worse
    the {thing} is fine for what it costs, no more
    {who} do not care much about the {things}
    there is not much to say about the {thing}
    the {thing} has changed a little since [last year|spring|my last review]
    some will like the {thing}, others will not
    half of the {things} are fine, the other half not
    too early to judge the {thing}
    the {things} are the usual ones
    {place} is somewhere in the middle
""")

COFFEE_SHOP = Domain(
    name="coffee-shop",
    place=split_phrases("this café; the coffee shop; this little place; the café on the corner"),
    person=split_phrases("the barista; the owner; the girl behind the counter; the young waiter"),
    again=split_phrases("come back; stop by again; have another cup here; meet friends here"),
    thing=split_phrases(
        "coffee; cappuccino; espresso; latte; cake; carrot cake; seating; atmosphere; music;"
        "hot chocolate; terrace; breakfast; tea; milk foam; queue; smell"
    ),
    things=split_phrases("muffins; croissants; sandwiches; tables; cookies; prices; baristas; cups; bagels"),
    praise=lines("""
        my cup was hot, strong and full of flavour
        the beans are roasted on the spot and you can taste it
        they remember my name and my usual order
        the pastry is fresh from the oven every morning
        a quiet corner, soft chairs and a real fire
        they gave me a free refill with a smile
        the foam was like silk
        it smells of fresh bread and roasted beans
        i can sit here for hours and nobody hurries me
        even on busy days you never wait long
    """),
    remarks=lines("""
        they open at seven and close at six
        the shop is next to the station
        oat milk costs fifty cents more
        there are ten tables and a small counter
        i had a latte and a bagel
        you order at the counter and pay by card
        they changed the menu in spring
        the toilets are upstairs
        most people take their cup away
    """),
    complaints=lines("""
        my espresso tasted burnt and bitter
        the latte was cold when it came
        we waited half an hour for two cups
        the tables were sticky and full of crumbs
        they forgot my order twice
        the milk was sour
        the music is so loud that you cannot talk
        a dry muffin for the price of a meal
        my cup had lipstick on it
        they overcharged me and refused to check
    """),
)
HOTEL = Domain(
    name="hotel",
    place=split_phrases("this hotel; the hotel; this guest house; the inn"),
    person=split_phrases("the receptionist; the cleaning lady; the manager; the porter; the night porter"),
    again=split_phrases("stay here again; book again; come back next summer; spend the night here"),
    thing=split_phrases(
        "room; bed; bathroom; shower; view; pool; lobby; breakfast buffet; lift; balcony; parking;"
        "location; reception; sauna; heating; wardrobe"
    ),
    things=split_phrases("pillows; towels; beds; rooms; curtains; windows; staff; corridors; sheets"),
    praise=lines("""
        we slept like babies
        the balcony looks over the whole bay
        they upgraded us to a suite for free
        fresh flowers waited in our room
        the sheets smelled clean and fresh
        the porter carried our bags with a smile
        we could walk to the beach in two minutes
        they let us keep the room until the evening
        the shower was hot and strong
        the children did not want to leave the pool
    """),
    remarks=lines("""
        check in starts at three in the afternoon
        our room was on the fourth floor
        the hotel has ninety rooms and one lift
        there is a bus stop in front of the door
        breakfast is served from seven to ten
        we stayed two nights for a wedding
        the parking costs twelve a day
        you can choose between a bath and a shower
        the building dates from the sixties
    """),
    complaints=lines("""
        we found hair in the shower
        the walls are so thin that we heard the neighbours all night
        the room smelled of smoke and mould
        there was no hot water for two days
        the bed was as hard as a board
        they lost our booking and did not say sorry
        the lift was out of order and we were on the sixth floor
        insects were crawling over the carpet
        they charged us for things that we never had
        the heating did not work in January
    """),
)
HEADPHONES = Domain(
    name="headphones",
    place=split_phrases("this headset; this pair; the product; this model; this brand"),
    person=split_phrases("the seller; the support team; the support agent; the man on the hotline"),
    again=split_phrases("buy this brand again; order a second pair; buy from this seller"),
    thing=split_phrases(
        "sound; bass; battery; microphone; fit; cable; noise cancelling; case; volume; design;"
        "connection; charging; build quality; manual; headband"
    ),
    things=split_phrases("ear pads; buttons; speakers; hinges; controls; cables; high notes; voices"),
    praise=lines("""
        i can hear every single instrument
        the battery lasts for days
        so light that i forget i am wearing them
        my boss hears me loud and clear
        the train goes silent as soon as i switch them on
        paired with my phone in seconds
        they survived the rain and two falls
        the pads are soft even with glasses
        a deep and warm bass that never drowns the voices
        a spare cable and a solid case came with it
    """),
    remarks=lines("""
        they come in black, white and blue
        the cable is one metre long
        the box holds a case and a manual
        charging takes about two hours
        they weigh two hundred grams
        i use them in the office and on the bus
        it connects by cable or without one
        the buttons are on the left side
        i compared them with my old pair
    """),
    complaints=lines("""
        the left side went silent after a week
        the band broke when i opened the box
        my head hurts after ten minutes
        everything sounds like a tin can
        the battery is dead after an hour
        nobody can hear me on calls
        they lose the connection all the time
        a loud hiss spoils every song
        the pads fell apart within a month
        i sent them back and still wait for a refund
    """),
)
BOOKS = Domain(
    name="books",
    place=split_phrases("this book; this novel; the author; this story; the second volume"),
    person=split_phrases("the author; the hero; the narrator; the translator"),
    again=split_phrases("read it again; read the next volume; buy another book by this author"),
    thing=split_phrases(
        "plot; story; ending; style; language; first chapter; cover; translation; humour; dialogue;"
        "beginning; love story; print; paper; idea"
    ),
    things=split_phrases("characters; chapters; dialogues; pictures; descriptions; jokes; twists; pages"),
    praise=lines("""
        i could not put it down
        i laughed and cried until the last page
        every sentence is a small gem
        i read it in one night
        the characters stay with you for weeks
        the twist at the end took my breath away
        my whole reading group fell in love with it
        i have given it to three people already
        you can almost smell the sea while reading
        a clever plot without one boring page
    """),
    remarks=lines("""
        it has three hundred pages and twelve chapters
        the story takes place in a village in the north
        i read the paperback
        it is the second volume of four
        the book was first printed in the nineties
        each chapter is told by another person
        my library had two copies
        the cover shows a boat
        it is about two brothers and a farm
    """),
    complaints=lines("""
        i gave up after fifty pages
        i fell asleep over every chapter
        the ending makes no sense
        full of spelling mistakes and missing pages
        i have never skipped so many pages
        the hero is as flat as the paper
        you guess the murderer on page ten
        the translator must have used a machine
        the same joke is told twenty times
        hours of my life that i will never get back
    """),
)
BICYCLE = Domain(
    name="bicycle",
    place=split_phrases("this bike; the bike shop; this bicycle; the brand; this model"),
    person=split_phrases("the mechanic; the dealer; the shop owner; the man in the workshop"),
    again=split_phrases("buy a bike here again; ride it every day; order from this dealer"),
    thing=split_phrases(
        "saddle; frame; gear shift; front light; chain; bell; paint; brake; ride; handlebar;"
        "basket; delivery; assembly; motor; kickstand; price"
    ),
    things=split_phrases("brakes; tyres; pedals; gears; lights; wheels; mudguards; grips; screws"),
    praise=lines("""
        it rolls like a dream
        the gears change without a sound
        i fly up the hills now
        it was ready to ride out of the box
        the brakes grip even in heavy rain
        the mechanic set the saddle for me at no cost
        three thousand kilometres and not one flat tyre
        light enough to carry up the stairs
        my daughter beams every time she rides it
        a solid frame that will last a lifetime
    """),
    remarks=lines("""
        it has seven gears and a basket
        the frame is dark green
        i ride six kilometres to work
        it came in a large box with a tool
        the tyres are twenty eight inches
        it weighs fifteen kilos
        i bought it in March
        the lamp runs on a dynamo
        the pedals must be fixed by yourself
    """),
    complaints=lines("""
        the chain falls off at every corner
        the tyre was flat on the first day
        rust everywhere after one winter
        the brakes squeal like a pig
        two screws were missing and the frame was bent
        the pedal broke off in the middle of the road
        my back hurts after every ride
        the paint came off when i washed it
        the dealer refused to repair it
        the lamp goes dark at every bump
    """),
)
PHONE_APP = Domain(
    name="phone-app",
    place=split_phrases("this app; the app; the new version; the program"),
    person=split_phrases("the support team; the developer; the help desk; the chat agent"),
    again=split_phrases("use it every day; install it again; pay for the full version"),
    thing=split_phrases(
        "design; login; search; update; menu; map; start screen; dark mode; calendar; sync; speed;"
        "layout; camera function; backup; registration"
    ),
    things=split_phrases("icons; settings; reminders; messages; ads; colours; updates; functions; widgets"),
    praise=lines("""
        it opens in a blink
        i found everything at once without any help
        it saves me an hour every day
        no ads, no tricks, no hidden costs
        my mother learned it in five minutes
        the developer fixed my problem the same evening
        it never crashed, not once
        my notes appear on all my devices at once
        it hardly uses any battery
        every update makes it a little smarter
    """),
    remarks=lines("""
        it needs two hundred megabytes
        the free version allows three lists
        the menu moved to the bottom
        it works on phones and tablets
        you can log in with a code or a password
        there is a light and a dark look
        i have used it since autumn
        the update came out on Tuesday
        it asks for a rating from time to time
    """),
    complaints=lines("""
        it crashes every time i open it
        the update deleted all my notes
        it drains the battery in two hours
        an advert jumps at you at every click
        it logs me out again and again
        they hide the button to end the subscription
        the screen freezes and stays white
        my data went to strangers
        i wrote to them three times and got no answer
        it takes forever to load
    """),
)
GARDEN_TOOLS = Domain(
    name="garden-tools",
    place=split_phrases("this tool; the garden set; this mower; this brand; the garden centre"),
    person=split_phrases("the seller; the gardener; the man at the garden centre; the service woman"),
    again=split_phrases("buy this brand again; use it next spring; order more tools here"),
    thing=split_phrases(
        "mower; spade; rake; hose; hedge trimmer; handle; blade; watering can; engine; wheelbarrow;"
        "sprinkler; grip; axe; steel; weight"
    ),
    things=split_phrases("shears; gloves; blades; handles; secateurs; seeds; pots; nozzles; forks"),
    praise=lines("""
        cuts thick branches like butter
        my lawn has never looked so even
        the spade goes into clay without effort
        the handle sits well in the hand
        it started at the first pull
        my roses thank me for it
        sharp after a whole season of hard work
        no more back ache after weeding
    """),
    remarks=lines("""
        the hose is twenty metres long
        the blade is made of steel
        it runs on petrol
        i keep it in the shed
    """),
    complaints=lines("""
        the handle snapped on the first day
        it leaks at both ends
        the blade was blunt out of the box
        it would not start, whatever we tried
        the wheel came off in the middle of the lawn
        it tears the grass instead of cutting it
        blisters after ten minutes of digging
        it rusted in the shed within weeks
    """),
)
RESTAURANT = Domain(
    name="restaurant",
    place=split_phrases("this restaurant; the restaurant; this diner; the pizzeria; this place"),
    person=split_phrases("the waiter; the waitress; the chef; the head waiter; the cook"),
    again=split_phrases("eat here again; come back for dinner; book a table again; bring my parents"),
    thing=split_phrases(
        "soup; steak; pizza; pasta; fish; dessert; wine; salad; service; menu; curry; sauce;"
        "kitchen; starter; roast; dining room; rice; bill"
    ),
    things=split_phrases("portions; dishes; noodles; vegetables; chips; waiters; dumplings; drinks; oysters"),
    praise=lines("""
        the meat melted on the tongue
        we licked our plates clean
        the fish was caught the same morning
        our glasses were never empty
        the chef came to the table and asked how we liked it
        they cooked an extra dish for my vegan friend
        huge portions and every bite a delight
        candles, soft music and a table by the window
        the dough was thin and crisp
        we stayed until midnight and had a great evening
    """),
    remarks=lines("""
        we were a party of six
        the kitchen closes at ten
        i had the soup and my wife the pasta
        there are two menus, one for lunch and one for dinner
        the dining room seats eighty guests
        it lies between the church and the market
        you can reserve by phone
        wine is sold by the glass or by the bottle
        the menu changes every month
    """),
    complaints=lines("""
        my steak was raw and cold
        we waited an hour for the starter
        there was a fly in my soup
        the noodles were a sticky lump
        i was sick all night after the oysters
        the waiter spilled wine on my dress and laughed
        tiny portions on dirty plates
        they brought the wrong dish and took it away again
        everything swam in old fat
        the bill had things on it that we never ate
    """),
)
