"""Messages to eight service desks, with a common vocabulary of requests.

An ``Intent`` takes its wording from a common request (``act``: cancelling, asking for a price, …) about its
own ``objects``, and from sentences of its own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from phrases import add_noise, expand, lines, sample_share, split_phrases


@dataclass(frozen=True)
class Intent:
    """One label: its name, its common request ("" if none), what it is about, and its own sentences."""

    label: str
    act: str
    objects: list[str]
    own: list[str]


@dataclass(frozen=True)
class Desk:
    """One service, its intents, and the circumstances that people mention."""

    name: str
    intents: list[Intent]
    contexts: list[str]


def sample_messages(desk: Desk, rng: random.Random, label: str) -> Iterator[str]:
    """Generate messages to ``desk`` with one intent, endlessly; they may repeat."""
    intent = next(intent for intent in desk.intents if intent.label == label)
    common = sample_share(ACTS[intent.act], rng, 0.7) if intent.act else []
    slots = {"it": intent.objects, **COMMON}
    while True:
        own = not common or rng.random() < 0.33
        text = expand(rng.choice(intent.own if own else common), slots, rng)
        if rng.random() < 0.3:
            text = expand(rng.choice(OPENINGS), slots, rng) + " " + text
        if rng.random() < 0.3:
            about = desk.contexts if rng.random() < 0.6 else CONTEXTS
            text = _join(text, expand(rng.choice(about), slots, rng), rng)
        if rng.random() < 0.15:
            text = _join(text, expand(rng.choice(CLOSINGS), slots, rng), rng, first=False)
        yield add_noise(text, rng)


def _join(text: str, other: str, rng: random.Random, *, first: bool = True) -> str:
    pair = (other, text) if first and rng.random() < 0.5 else (text, other)
    return rng.choice([", ", ". ", " - "]).join(pair)


COMMON = {
    "want": split_phrases("i want to; i would like to; i need to; i wish to; i have to; let me; help me"),
    "can": split_phrases("can i; could i; is it possible to; how do i; how can i; where do i; may i"),
    "you": split_phrases("can you; could you; please; would you"),
    "day": split_phrases("Monday; Tuesday; Thursday; Friday; Saturday; the weekend; Easter; Monday morning"),
    "soon": split_phrases("today; as soon as possible; right now; this week; quickly; ;;;"),
}
OPENINGS = split_phrases(
    "hi,; hello,; good morning,; hey there,; dear team,; excuse me,; sorry to bother you,;"
    "quick question:; urgent!; good evening,; i have a question:; hello again,; ok so"
)
CLOSINGS = split_phrases(
    "thanks; thank you; please help; many thanks in advance; it is urgent; best wishes;"
    "any help is welcome; cheers; i am waiting; please answer soon"
)
CONTEXTS = lines("""
    i have been a customer for [two|five|ten] years
    i tried your website first
    my [wife|husband|son|mother] told me to ask
    i wrote to you on {day}
    i am in a hurry
    i could not find it on the site
    nobody picked up the phone
    i am new here
    i am on holiday [now|until {day}]
    my name is [Miller|Santos|Novak|Chen|Okafor]
    my number is [4471|90218|55-302|7713]
    i am writing from my phone
""")

ACTS: dict[str, list[str]] = {
    "cancel": lines("""
        {want} cancel {it} {soon}
        {can} cancel {it}
        please cancel {it} {soon}
        i do not want {it} any more
        i no longer need {it}
        {you} stop {it} {soon}
        {want} get out of {it}
        end {it} please
        i changed my mind about {it}
        what must i do to end {it}
        is there a fee if i cancel {it}
        {want} call off {it}
        {it} should end [this month|on {day}], please confirm
    """),
    "status": lines("""
        where is {it}
        what is the status of {it}
        {it} has still not arrived
        when will {it} [arrive|be here|come]
        i am still waiting for {it}
        {you} check where {it} is
        {you} tell me how far {it} is
        any news about {it}
        is {it} on its way
        how long will {it} take
        {it} should have been here {day}
        no sign of {it} since {day}
        {want} track {it}
    """),
    "refund": lines("""
        {want} get my money back for {it}
        {can} get a refund for {it}
        please refund {it}
        when will i get the money for {it} back
        i was charged twice for {it}
        {you} pay back what i paid for {it}
        i demand a refund for {it} {soon}
        you took money for {it} by mistake
        i should not have to pay for {it}
        return the money for {it} please
        the refund for {it} is missing
        i paid for {it} and want the amount back
    """),
    "address": lines("""
        {want} change the address for {it}
        {can} change the address of {it}
        i moved, please use my new address for {it}
        we are moving on {day}, what about {it}
        {you} send {it} to another address
        the address on {it} is wrong
        my new street is [Oak Lane 5|Mill Road 12|Hill Street 80], please update {it}
        {want} give you my new address
        the house number for {it} has changed
        i live somewhere else now, {you} correct the address
        update my address {soon}
    """),
    "lost": lines("""
        i lost {it}
        i cannot find {it} anywhere
        {it} was stolen {day}
        someone took {it}
        i left {it} somewhere
        i think {it} is lost
        {it} is gone, what now
        {can} report that {it} is lost
        did anybody find {it}
        {it} disappeared {day}
        {want} report {it} as lost
        i must have dropped {it}
    """),
    "price": lines("""
        how much is {it}
        what does {it} cost
        how much do i have to pay for {it}
        what is the price of {it}
        is there a cheaper price for {it}
        do you charge for {it}
        {you} tell me the price of {it}
        what are the fees for {it}
        is {it} free
        is {it} cheaper for [students|children|families|pensioners]
        {want} know what {it} would cost
        has the price of {it} gone up
    """),
    "password": lines("""
        i forgot my password for {it}
        {want} reset my password
        my password for {it} does not work
        i cannot log in to {it}
        {can} get a new password for {it}
        {it} says that my password is wrong
        i am locked out of {it}
        {you} send me a link to reset the password
        {it} does not accept my login
        the login code for {it} never came
        too many wrong attempts and now {it} is locked
    """),
    "person": lines("""
        {want} talk to a person
        {want} speak to {it}
        {can} speak to {it}
        put me through to {it}
        is there a human i can talk to
        {you} call me back
        i do not want to talk to a machine
        give me the phone number of {it}
        connect me with {it} {soon}
        {it} please, no robot
        who can i talk to about this
        i would rather explain it to {it}
    """),
    "hours": lines("""
        when do you open
        are you open on {day}
        what are the opening hours of {it}
        how late is {it} open
        until when can i come {day}
        is {it} closed on [Sundays|holidays|Christmas]
        at what time does {it} close
        do you open before [seven|eight|nine]
        {it}: opening times please
        does {it} have a break at noon
        can i come to {it} in the evening
    """),
    "broken": lines("""
        {it} does not work
        {it} is broken again
        {it} stopped working {day}
        there is something wrong with {it}
        {you} repair {it} {soon}
        {it} is dead
        {it} keeps switching off
        {it} has been out of order since {day}
        who fixes {it}
        i get an error from {it}
        {want} report a fault with {it}
        no way to get {it} to work
    """),
    "extend": lines("""
        {want} keep {it} longer
        {can} extend {it}
        {want} renew {it}
        {you} extend {it} by [two|three] weeks
        {it} ends on {day}, i need more time
        a few more days for {it} please
        {it} runs out soon, what can i do
        is it possible to have {it} for another month
        renew {it} {soon}
    """),
    "book": lines("""
        {want} book {it}
        {can} reserve {it}
        {can} book {it} for {day}
        {you} reserve {it} for me
        is {it} still free on {day}
        i would like {it} for two people
        please put my name down for {it}
        {want} make an appointment for {it}
        {it} on {day} at [nine|ten|six], please
        is there any room left for {it}
        book {it} {soon}
    """),
    "damaged": lines("""
        {it} arrived broken
        {it} is damaged
        there is a crack in {it}
        i found damage on {it}
        {it} was torn and wet
        {want} report damage to {it}
        somebody damaged {it}
        {it} came in pieces
        {it} fell apart, who pays for the damage
        {it} has a big scratch
        water ruined {it}
    """),
    "invoice": lines("""
        {want} have a copy of {it}
        {you} send me {it} again
        {can} download {it}
        i never got {it}
        i need {it} for the tax office
        {it} is missing in my mail
        please mail me {it} {soon}
        {want} print {it}
        there is a mistake on {it}
        my boss asks for {it}
        a paper copy of {it} please
    """),
    "join": lines("""
        {want} join {it}
        {can} sign up for {it}
        what do i need to register for {it}
        {can} become part of {it}
        {want} open {it}
        i would like to apply for {it}
        which papers do you need for {it}
        can my [son|daughter|mother] have {it} too
        where is the form for {it}
        sign me up for {it}
        {want} start {it} [next month|on {day}]
    """),
    "complaint": lines("""
        {want} complain about {it}
        {it} was very rude to me
        {it} is a disgrace
        i am not happy with {it}
        where do i send a complaint about {it}
        never was i treated like this by {it}
        this is unacceptable, {it} must change
        my experience with {it} was awful
        i am angry about {it}
        who is responsible for {it}, i want to protest
    """),
}

BANK = Desk(
    "bank",
    [
        Intent(
            "card_lost",
            "lost",
            split_phrases("my card; my debit card; my bank card"),
            lines("""
            my wallet was taken on the bus with the bank card inside
            block my card {soon}, it is in the wrong hands
            the cash machine swallowed my card
            freeze the card, my bag is gone
        """),
        ),
        Intent(
            "addr_chg",
            "address",
            split_phrases("my account; my bank letters; my statements"),
            lines("""
            letters from the bank still go to my old flat
            my account shows the street where i lived before
            where in the banking app do i enter the new flat
        """),
        ),
        Intent(
            "fee_q",
            "price",
            split_phrases("a transfer abroad; the gold card; my account"),
            lines("""
            why did you take four euros at the cash machine
            what is the monthly fee of the account
            does paying by card abroad cost extra
        """),
        ),
        Intent(
            "trf_stat",
            "status",
            split_phrases("my transfer; my salary; the payment"),
            lines("""
            the money i sent on {day} has not reached my landlord
            my transfer is pending since {day}
            the payment left my account but my sister has nothing
        """),
        ),
        Intent(
            "pw_reset",
            "password",
            split_phrases("online banking; the banking app; my account"),
            lines("""
            the banking app wants a code that i never set
            i entered the pin wrong three times
        """),
        ),
        Intent(
            "acc_close",
            "cancel",
            split_phrases("my account; my savings account; the gold card"),
            lines("""
            close my account and send the rest to my other bank
            {can} close an account of my late father
            i am leaving the bank, shut everything down
        """),
        ),
        Intent(
            "chg_wrong",
            "refund",
            split_phrases("this charge; the card fee; the second payment"),
            lines("""
            there is a payment on my statement that i never made
            a shop in Rome charged my card, i was never there
            the cash machine gave nothing but the amount was taken
        """),
        ),
        Intent(
            "human",
            "person",
            split_phrases("my adviser; a clerk; somebody at the branch"),
            lines("""
            my adviser knows the case, is she in
            a real person from the branch should ring me
        """),
        ),
    ],
    lines("""
        i bank with you since school
        i have two accounts
        the branch on the square sent me here
        my statement came on {day}
        i use the banking app
    """),
)
TRAIN_TRAVEL = Desk(
    "train-travel",
    [
        Intent(
            "ticketRefund",
            "refund",
            split_phrases("my ticket; the day pass; the missed train"),
            lines("""
            my train did not run, who pays for the ticket
            two hours late, how much of the fare do i get back
            i bought the ticket twice by accident
        """),
        ),
        Intent(
            "trainDelay",
            "status",
            split_phrases("the train; my train; the night train"),
            lines("""
            is the 8:15 late [today|again]
            how many minutes behind is the express
            we stand on the platform and no train in sight
        """),
        ),
        Intent(
            "ticketPrice",
            "price",
            split_phrases("a ticket to Porto; a day pass; first class"),
            lines("""
            is a return cheaper than two singles
            what is the fare for a child of six
            how much extra is the fast train
        """),
        ),
        Intent(
            "cancelTrip",
            "cancel",
            split_phrases("my trip; my booking; the seat; my rail pass"),
            lines("""
            i am ill and cannot travel on {day}
            the meeting is off so i will not take the train
        """),
        ),
        Intent(
            "seatBooking",
            "book",
            split_phrases("a seat; a window seat; a bed in the sleeper"),
            lines("""
            two seats side by side with a table please
            {can} sit in the quiet carriage
            are all the seats on the express taken
        """),
        ),
        Intent(
            "lostLuggage",
            "lost",
            split_phrases("my suitcase; my umbrella; my rucksack"),
            lines("""
            my coat is still hanging in carriage nine
            a red suitcase was left on the train to Lyon
            where is the lost property desk
        """),
        ),
        Intent(
            "bringBike",
            "",
            [],
            lines("""
            {can} take my bicycle on the train
            is there room for [two|three] bikes on the express
            do i need a ticket for my bike
            where do i put the bike on the train
            bikes allowed on {day} or not
            {want} travel with a folding bike
            how do i get my bicycle to the coast by train
            is there a bike carriage on the [slow|fast|night] train
            must the bicycle be in a bag
            i travel with a bike and a trailer
        """),
        ),
        Intent(
            "trainTimes",
            "hours",
            split_phrases("the ticket office; the station"),
            lines("""
            when does the last train leave
            which platform for the train to Turin
            is there a train to the airport around [five|six|noon]
            at what time do i get to the coast
            how often do the trains run on {day}
            first train in the morning please
        """),
        ),
    ],
    lines("""
        i travel with two children
        i have a rail pass
        my connection is tight
        the app shows nothing
        i am at the station
    """),
)
INTERNET = Desk(
    "internet-provider",
    [
        Intent(
            "no_connection",
            "broken",
            split_phrases("the internet; my router; the wifi"),
            lines("""
            the red lamp on the box is blinking
            no page opens since {day}
            the whole street is offline
            restarted the router five times and nothing
        """),
        ),
        Intent(
            "slow_speed",
            "",
            [],
            lines("""
            the internet is very slow [in the evening|today|again]
            films stop every two minutes
            i pay for a hundred and get ten
            why is my wifi so slow upstairs
            downloads take forever since {day}
            {you} make the line faster
            the speed is a joke
            {want} have a faster connection
            video calls freeze all the time
            my games lag every evening
        """),
        ),
        Intent(
            "cancel_contract",
            "cancel",
            split_phrases("my contract; the tv package; my line"),
            lines("""
            another company is cheaper, so goodbye
            what is the notice period of the contract
            where do i send the box after the contract ends
        """),
        ),
        Intent(
            "moving_house",
            "address",
            split_phrases("my line; the contract; the bill"),
            lines("""
            {can} take the internet along to the new flat
            is your line available in our new house
            our flat is empty from {day}, switch the line over
        """),
        ),
        Intent(
            "bill_copy",
            "invoice",
            split_phrases("the bill; my last bill; the March bill"),
            lines("""
            why is the bill higher than last month
            the bill in my account cannot be opened
        """),
        ),
        Intent(
            "password_reset",
            "password",
            split_phrases("the wifi; the router; my mail"),
            lines("""
            what is the wifi code of the new box
            guests want the wifi password and i do not know it
        """),
        ),
        Intent(
            "technician_visit",
            "book",
            split_phrases("a technician; a visit; a repair"),
            lines("""
            {you} send somebody to install the line
            the technician did not come on {day}, i need a new date
            somebody must drill a hole for the cable
        """),
        ),
        Intent(
            "talk_to_person",
            "person",
            split_phrases("an agent; the technical team; a human"),
            lines("""
            the robot on the hotline does not get it
            an agent promised to ring me and did not
        """),
        ),
    ],
    lines("""
        i work from home
        i have the big package with television
        the router is two years old
        the hotline sent me here
        i already restarted everything
    """),
)
LIBRARY = Desk(
    "library",
    [
        Intent(
            "extend-loan",
            "extend",
            split_phrases("my loan; the book; this novel; the films"),
            lines("""
            i am not done reading, three hundred pages to go
            {can} bring the book back later
            is the due date fixed
        """),
        ),
        Intent(
            "lost-book",
            "lost",
            split_phrases("a library book; the cookbook; my library card"),
            lines("""
            the dog took the book and now it is nowhere
            i may have returned your book to the wrong library
        """),
        ),
        Intent(
            "opening-hours",
            "hours",
            split_phrases("the library; the reading room"),
            lines("""
            {can} return books at night
            is the reading room open during the holidays
        """),
        ),
        Intent(
            "reserve-book",
            "book",
            split_phrases("the new novel; a study room; this title"),
            lines("""
            tell me when the book is back on the shelf
            somebody else has the book, put me in the queue
            {can} order a title from another library
        """),
        ),
        Intent(
            "late-fee",
            "price",
            split_phrases("a late return; a reminder; a lost card"),
            lines("""
            i brought it back a day late, what now
            why do i owe the library six euros
            what do i pay for each day over the date
        """),
        ),
        Intent(
            "become-member",
            "join",
            split_phrases("the library; the reading club; a card"),
            lines("""
            we just moved here and love reading
            do i have to live in town to borrow books
        """),
        ),
        Intent(
            "damaged-book",
            "damaged",
            split_phrases("the book; the picture book; the atlas"),
            lines("""
            my toddler painted on page three
            coffee ran over the cover
            some pages were torn out before i borrowed it
        """),
        ),
        Intent(
            "password",
            "password",
            split_phrases("the catalogue; my reader account"),
            lines("""
            the terminal in the hall does not know my card
            what is the first password of a new reader
        """),
        ),
    ],
    lines("""
        i have four books at home
        my card number ends with [12|48|77]
        my children read a lot
        i am a student
        the catalogue says on loan
    """),
)
GYM = Desk(
    "gym",
    [
        Intent(
            "1",
            "cancel",
            split_phrases("my membership; the yoga course; my contract"),
            lines("""
            i am moving to another town and quit the gym
            my knee is gone, no more sports for me
            how long before the end must i give notice
        """),
        ),
        Intent(
            "2",
            "hours",
            split_phrases("the gym; the pool; the sauna; the weight room"),
            lines("""
            {can} train at [five|six] in the morning
            when is the pool empty
            is somebody there after ten
        """),
        ),
        Intent(
            "3",
            "book",
            split_phrases("the yoga class; a spin class; a court; a trainer"),
            lines("""
            the class is full, is there a waiting list
            {can} bring a friend to boxing
        """),
        ),
        Intent(
            "4",
            "price",
            split_phrases("a membership; a day ticket; a towel; the sauna"),
            lines("""
            is the first month free
            what do i pay if i only swim
        """),
        ),
        Intent(
            "5",
            "broken",
            split_phrases("the treadmill; the shower; the rowing machine"),
            lines("""
            the third bike from the left has no pedal
            only cold water in the men's showers
            the screen on the treadmill stays black
        """),
        ),
        Intent(
            "6",
            "lost",
            split_phrases("my locker key; my towel; my headphones; my ring"),
            lines("""
            my locker will not open without the key
            black shoes left in the changing room
        """),
        ),
        Intent(
            "7",
            "",
            [],
            lines("""
            {want} pause my membership
            {can} pause for [two|three] months
            i broke my leg and need a break from training
            put my contract on hold until {day}
            i go abroad for half a year, can you freeze it
            {can} take a break without paying
            i am pregnant and want to stop for a while
            please pause it from {day} on
            {want} come back in autumn, not before
            no training this summer, hold my membership
        """),
        ),
        Intent(
            "8",
            "refund",
            split_phrases("the course; last month; the day ticket"),
            lines("""
            you were closed for two weeks and still took the full amount
            the trainer was ill and i paid for nothing
        """),
        ),
    ],
    lines("""
        i train three times a week
        i am a member since January
        the front desk was empty
        i come after work
        my coach told me to write
    """),
)
POST_OFFICE = Desk(
    "post-office",
    [
        Intent(
            "where",
            "status",
            split_phrases("my parcel; the letter; a package from Spain"),
            lines("""
            tracking says delivered but there is nothing at the door
            stuck in customs since {day}
            did the driver come by today
        """),
        ),
        Intent(
            "damaged",
            "damaged",
            split_phrases("my parcel; the box; the package"),
            lines("""
            the vase inside was only shards
            the box had been opened and taped again
        """),
        ),
        Intent(
            "redirect",
            "address",
            split_phrases("my mail; the parcel; my letters"),
            lines("""
            forward our mail while we are away
            {you} drop the parcel at the neighbour's
            the parcel is going to my old street
        """),
        ),
        Intent(
            "postage",
            "price",
            split_phrases("a stamp; a letter to Japan; a five kilo parcel"),
            lines("""
            how many stamps for a thick letter
            is a small packet cheaper than a parcel
        """),
        ),
        Intent(
            "hours",
            "hours",
            split_phrases("the post office; the counter; the parcel shop"),
            lines("""
            until what time is the letter box emptied
            {can} bring a parcel on Saturday afternoon
        """),
        ),
        Intent(
            "compensation",
            "refund",
            split_phrases("the lost parcel; postage; the express fee"),
            lines("""
            the express letter took a week, that is not what i paid for
            who pays for the content if the parcel is lost
        """),
        ),
        Intent(
            "pickup",
            "",
            [],
            lines("""
            {can} pick up my parcel
            where do i collect the parcel
            there was a card in my letter box, where do i go
            do i need my passport to collect a letter
            can my [wife|neighbour|son] collect it for me
            how many days do you keep a parcel
            {want} fetch my package {soon}
            {can} collect it tomorrow
            you missed me, where is my packet kept
            which counter is for collecting parcels
        """),
        ),
        Intent(
            "complaint",
            "complaint",
            split_phrases("the postman; the driver; the queue"),
            lines("""
            the driver throws parcels over the fence
            the postman never rings
            one open counter for forty people
        """),
        ),
    ],
    lines("""
        the tracking number is [RB77|LX204|CC9018]
        i live on the fourth floor
        it was sent from abroad
        the driver left a card
        it is a birthday present
    """),
)
INSURANCE = Desk(
    "insurance",
    [
        Intent(
            "report_damage",
            "damaged",
            split_phrases("my car; the roof; the front door; our cellar"),
            lines("""
            a tree fell on the garage in the storm
            i drove into the neighbour's fence
            the washing machine flooded the kitchen
            hail everywhere on the bonnet
        """),
        ),
        Intent(
            "claim_status",
            "status",
            split_phrases("my claim; the expert; your answer"),
            lines("""
            four weeks since the accident and not a word
            has the case been decided yet
            the workshop wants to know if you pay
        """),
        ),
        Intent(
            "cancel_policy",
            "cancel",
            split_phrases("my policy; the car insurance; the travel cover"),
            lines("""
            i sold the car, so the cover can end
            i am insured elsewhere from {day}
        """),
        ),
        Intent(
            "change_address",
            "address",
            split_phrases("my policy; the household cover"),
            lines("""
            the policy still shows the flat in Leeds
            new house, bigger rooms, does the cover move along
        """),
        ),
        Intent(
            "price_question",
            "price",
            split_phrases("dental cover; a second car; legal cover"),
            lines("""
            why does my premium rise every year
            do i get a bonus without accidents
        """),
        ),
        Intent(
            "copy_of_papers",
            "invoice",
            split_phrases("the policy; the green card; the letter"),
            lines("""
            the garage needs proof that i am insured
            the yearly paper for the tax return did not come
        """),
        ),
        Intent(
            "add_person",
            "",
            [],
            lines("""
            {want} add my [wife|husband|son|daughter] to the policy
            our baby was born on {day}, is she covered
            {can} put a second driver on the car
            my daughter has her licence now and drives our car
            is my partner insured with me
            we got married, one policy for both please
            {want} include my mother in the travel cover
            please register a new driver
            can my flatmate be on the same policy
            add one more person to the contract
        """),
        ),
        Intent(
            "talk_to_person",
            "person",
            split_phrases("my agent; an expert; a human"),
            lines("""
            the form is too hard, who explains it to me
            agent wanted, the chat is going in circles
        """),
        ),
    ],
    lines("""
        the policy number is [K-310|V-88|H-2045]
        nobody was hurt
        the police came too
        i have photos of everything
        we are four at home
    """),
)
ONLINE_SHOP = Desk(
    "online-shop",
    [
        Intent(
            "order_status",
            "status",
            split_phrases("my order; the jacket; my new lamp; the delivery"),
            lines("""
            the tracking page has not moved since {day}
            my cart says shipped, my door says no
            will the gift be here before the birthday
            half of what i bought came, the other half did not
        """),
        ),
        Intent(
            "cancel_order",
            "cancel",
            split_phrases("my order; the order from {day}; one of the items"),
            lines("""
            i clicked buy by mistake
            stop the shipment if it is not packed yet
            found it cheaper elsewhere, do not send it
        """),
        ),
        Intent(
            "refund",
            "refund",
            split_phrases("the shoes; my return; the order; the coat"),
            lines("""
            you got the parcel back on {day} but my account is empty
            i sent the dress back two weeks ago
        """),
        ),
        Intent(
            "damaged_item",
            "damaged",
            split_phrases("the mirror; the lamp; my teapot; the chair"),
            lines("""
            the glass was in a thousand pieces
            one leg of the chair is split
            the shirt has a hole under the arm
        """),
        ),
        Intent(
            "change_address",
            "address",
            split_phrases("my order; the delivery; my account"),
            lines("""
            i typed the wrong street at checkout
            ship it to my office, not home
        """),
        ),
        Intent(
            "wrong_size",
            "",
            [],
            lines("""
            the shoes are too small
            {want} swap the jacket for a [bigger|smaller] one
            i ordered medium and got extra large
            {can} exchange the trousers for another size
            the dress does not fit
            size [38|40|42] is too tight, i need one more
            these boots are huge on me
            you sent the wrong size
            do you have the shirt in large instead
            the sleeves are too long, {can} change it for a shorter one
        """),
        ),
        Intent(
            "discount_code",
            "",
            [],
            lines("""
            my discount code does not work
            {can} use two codes at once
            the code from the newsletter is not accepted
            where do i enter the code
            the ten percent were not taken off
            my voucher has run out, is there a new one
            is there a discount for [students|nurses|new customers]
            i forgot to enter my voucher
            the coupon says invalid
            do you have a code for free delivery
        """),
        ),
        Intent(
            "copy_of_bill",
            "invoice",
            split_phrases("the invoice; the receipt; the bill"),
            lines("""
            there was no paper in the box
            our company name must stand on the receipt
        """),
        ),
        Intent(
            "talk_to_person",
            "person",
            split_phrases("a shop assistant; the sales team; a human"),
            lines("""
            the chat window answers nonsense
            get me someone who can think
        """),
        ),
    ],
    lines("""
        it is a gift for my niece
        the order number is [20-771|20-904|21-118]
        i ordered on {day}
        i paid with my card
        i shop here every month
    """),
)
