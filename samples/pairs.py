"""Pairs of texts: two questions with the same or another meaning, two statements that agree or not.

In every source, the words that two texts share say little about the label: pairs of both labels are about the
same things, and what differs is the action, the place, or the state of the thing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from phrases import Slots, expand, lines, split_phrases

Pair = tuple[str, str]

SAME, DIFFERENT = "same", "different"
FOLLOWS, CONTRADICTS = "entailment", "contradiction"


def sample_questions(rng: random.Random, label: str) -> Iterator[Pair]:
    """Generate two questions about the house; those of label ``DIFFERENT`` differ in action or object."""
    while True:
        action = rng.choice(ACTIONS)
        thing = rng.choice(THINGS[action[0]])
        other_action, other_thing = action, thing
        if label == DIFFERENT:
            if rng.random() < 0.5:
                similar = [a for a in ACTIONS if a[0] == action[0] and a is not action]
                other_action = rng.choice(similar)
            else:
                other_thing = rng.choice([t for t in THINGS[action[0]] if t != thing])
        first, second = rng.sample(QUESTIONS, 2)
        yield (
            _question(first, action[1], thing, rng),
            _question(second, other_action[1], other_thing, rng),
        )


def sample_statements(rng: random.Random, label: str) -> Iterator[Pair]:
    """Generate two statements about a thing at home: the second follows from the first or contradicts it."""
    return _states(HOME_THINGS, HOME_TALK, rng, agrees=label == FOLLOWS)


def sample_village_news(rng: random.Random, label: str) -> Iterator[Pair]:
    """Generate two reports from a village in different words, with the same or the opposite meaning."""
    return _states(VILLAGE_THINGS, VILLAGE_TALK, rng, agrees=label == SAME)


def _question(template: str, verbs: list[str], thing: str, rng: random.Random) -> str:
    text = expand(template, {"do": verbs, "it": [thing]}, rng)
    return text[:1].upper() + text[1:] + rng.choice(["?", "?", ""])


def _states(
    things: dict[str, list[str]], talk: tuple[list[str], ...], rng: random.Random, *, agrees: bool
) -> Iterator[Pair]:
    """Generate pairs about the state of a thing.

    Half of the contradictions deny the same word, and half state the opposite: in real inference pairs, too,
    many contradictions can be recognised by "not". One agreement in ten denies the opposite.
    """
    first_talk, second_talk, denials = talk
    while True:
        state = rng.choice(list(things))
        thing = rng.choice(things[state])
        now, opposite = rng.sample(STATES[state], 2)
        denied = rng.random() < (0.1 if agrees else 0.5)
        first = rng.choice(now)
        second = rng.choice(now if agrees != denied else opposite)
        yield (
            _statement(first_talk, {"it": [thing], "state": [first]}, rng),
            _statement(denials if denied else second_talk, {"it": [thing], "state": [second]}, rng),
        )


def _statement(templates: list[str], slots: Slots, rng: random.Random) -> str:
    text = expand(rng.choice(templates), slots, rng)
    return text[:1].upper() + text[1:] + "."


# What can be done with a kind of thing: the kind, and verbs with the same meaning.
ACTIONS: list[tuple[str, list[str]]] = [
    ("machine", split_phrases("repair; fix; mend")),
    ("machine", split_phrases("clean; wash; scrub")),
    ("machine", split_phrases("buy; purchase; get hold of")),
    ("machine", split_phrases("sell; get rid of; find a buyer for")),
    ("machine", split_phrases("move; carry; shift")),
    ("food", split_phrases("cook; prepare; make")),
    ("food", split_phrases("store; keep; put away")),
    ("food", split_phrases("freeze; deep-freeze; put on ice")),
    ("paper", split_phrases("renew; extend; prolong")),
    ("paper", split_phrases("cancel; end; give up")),
    ("paper", split_phrases("apply for; request; ask for")),
    ("paper", split_phrases("lose; mislay; misplace")),
]
THINGS = {
    "machine": split_phrases(
        "the oven; my bike; the dishwasher; a fridge; an old piano; the sofa; a lamp; the mower;"
        "a wooden table; the coffee machine; the printer; my laptop"
    ),
    "food": split_phrases("rice; fresh fish; mushrooms; tomato soup; beans; bread; potatoes; carrot cake"),
    "paper": split_phrases(
        "my passport; the contract; a library card; the phone line; car insurance; my ticket;"
        "a train pass; the membership; my driving licence"
    ),
}
QUESTIONS = lines("""
    how do i {do} {it}
    what is the best way to {do} {it}
    how can i {do} {it} [without help|myself|quickly|]
    i want to {do} {it}, where do i start
    can someone tell me how to {do} {it}
    is it hard to {do} {it}
    what do i need to {do} {it}
    who can help me to {do} {it}
    any tips to {do} {it}
    what happens when you {do} {it}
    is there an easy way to {do} {it}
    how long does it take to {do} {it}
    we have to {do} {it}, but how
    what does it cost to {do} {it}
    my neighbour asks how to {do} {it}
    please explain how people {do} {it}
""")

STATES: dict[str, tuple[list[str], list[str]]] = {
    "open": (split_phrases("open; unlocked"), split_phrases("closed; shut")),
    "hot": (split_phrases("hot; very warm"), split_phrases("cold; freezing")),
    "clean": (split_phrases("clean; spotless"), split_phrases("dirty; full of mud")),
    "full": (split_phrases("crowded; full of people"), split_phrases("empty; deserted")),
    "new": (split_phrases("new; modern"), split_phrases("old; ancient")),
    "quiet": (split_phrases("quiet; silent"), split_phrases("loud; noisy")),
    "broken": (split_phrases("broken; out of order"), split_phrases("working; repaired")),
    "dry": (split_phrases("dry; without a drop of water"), split_phrases("wet; soaked")),
}
HOME_THINGS = {
    "open": split_phrases("the kitchen window; the front door; the garage; the cellar door; the gate"),
    "hot": split_phrases("the soup; the tea; the oven; the bath water; the living room"),
    "clean": split_phrases("the carpet; the white shirt; the bathroom; the floor; the car"),
    "full": split_phrases("the kitchen; our garden; the balcony; the living room; the pool"),
    "new": split_phrases("the sofa; our house; the piano; the bathroom; the table"),
    "quiet": split_phrases("the dog; the fridge; the baby; the washing machine; the flat upstairs"),
    "broken": split_phrases("the lamp; the heating; the television; the doorbell; the toaster"),
    "dry": split_phrases("the towel; the washing; the firewood; the bathroom floor; the grass"),
}
HOME_TALK = (
    lines("""
        {it} is {state}
        {it} is {state} [this morning|this evening|today|again]
        i see that {it} is {state}
        my mother says that {it} is {state}
        when we came home, {it} was {state}
        {it} has been {state} since [Monday|noon|last night]
        as always, {it} is {state}
        we all know that {it} is {state}
        look, {it} is {state}
        because of the [weather|children|work next door], {it} is {state}
    """),
    lines("""
        {it} is {state}
        it is true that {it} is {state}
        somebody could say that {it} is {state}
        {it} is {state} now
        one would find {it} {state}
        so {it} is {state}
        in other words, {it} is {state}
    """),
    lines("""
        {it} is not {state}
        it is not true that {it} is {state}
        {it} is never {state}
        nobody could say that {it} is {state}
        {it} is not {state} at all
    """),
)
VILLAGE_THINGS = {
    "open": split_phrases("the village shop; the town hall; the bridge; the museum; the mill"),
    "hot": split_phrases("the lake; the church; the school; the bakery; the month of May"),
    "clean": split_phrases("the river; the beach; the fountain; the bus; the market"),
    "full": split_phrases("the church; the bus; the market square; the school; the festival tent"),
    "new": split_phrases("the fire station; the stone bridge; the school roof; the tram"),
    "quiet": split_phrases("the main street; the harbour; the playground; the forest path"),
    "broken": split_phrases("the church clock; the ferry; the water pump; the street light"),
    "dry": split_phrases("the football field; the river bed; the hay; the summer"),
}
VILLAGE_TALK = (
    lines("""
        {it} is {state}, the paper writes
        visitors say that {it} is {state}
        {it} was {state} on [Sunday|market day|the first of May]
        since the storm {it} has been {state}
        we hear that {it} is {state}
        the farmers think that {it} is {state}
        {it} is {state}, and nobody knows why
        these days {it} is {state}
    """),
    lines("""
        people say that {it} is {state}
        {it} is {state}, says the postman
        everyone in the village finds {it} {state}
        the radio reports that {it} is {state}
        you hear that {it} is {state}
        {it} seems to be {state}
    """),
    lines("""
        people say that {it} is not {state}
        nobody finds {it} {state}
        {it} was never {state}, says the postman
        it is not true that {it} is {state}
        you would not call {it} {state}
    """),
)
