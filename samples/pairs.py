"""Pairs of texts: two questions with the same or another meaning, two statements that agree or not.

In every source the words that two texts share say little: pairs of both labels are about the same
things, and what differs is the action, the place, or the state of the thing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from phrases import Slots, lines, listed, say

Pair = tuple[str, str]

SAME, DIFFERENT = "same", "different"
FOLLOWS, CONTRADICTS = "entailment", "contradiction"


def sample_questions(rng: random.Random, label: str) -> Iterator[Pair]:
    """Two questions about the house; asked differently they have another action or object."""
    while True:
        action = rng.choice(ACTIONS)
        thing = rng.choice(THINGS[action[0]])
        other_action, other_thing = action, thing
        if label == DIFFERENT:
            if rng.random() < 0.5:
                alike = [a for a in ACTIONS if a[0] == action[0] and a is not action]
                other_action = rng.choice(alike)
            else:
                other_thing = rng.choice([t for t in THINGS[action[0]] if t != thing])
        first, second = rng.sample(QUESTIONS, 2)
        yield (
            _question(first, action[1], thing, rng),
            _question(second, other_action[1], other_thing, rng),
        )


def sample_statements(rng: random.Random, label: str) -> Iterator[Pair]:
    """Two statements about a thing at home: the second follows from the first or contradicts it."""
    return _states(HOME_THINGS, HOME_TALK, rng, agrees=label == FOLLOWS)


def sample_village_news(rng: random.Random, label: str) -> Iterator[Pair]:
    """Two reports from a village, in other words: with the same meaning or the opposite one."""
    return _states(VILLAGE_THINGS, VILLAGE_TALK, rng, agrees=label == SAME)


def _question(template: str, verbs: list[str], thing: str, rng: random.Random) -> str:
    text = say(template, {"do": verbs, "it": [thing]}, rng)
    return text[:1].upper() + text[1:] + rng.choice(["?", "?", ""])


def _states(
    things: dict[str, list[str]], talk: tuple[list[str], ...], rng: random.Random, *, agrees: bool
) -> Iterator[Pair]:
    """Pairs about the state of a thing.

    Contradictions are as often denials of the same word as they are opposites: in real inference
    pairs, too, "not" gives many contradictions away. One agreement in ten denies the opposite.
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
    text = say(rng.choice(templates), slots, rng)
    return text[:1].upper() + text[1:] + "."


# What can be done with a kind of thing: the kind, and verbs that say the same.
ACTIONS: list[tuple[str, list[str]]] = [
    ("machine", listed("repair; fix; mend")),
    ("machine", listed("clean; wash; scrub")),
    ("machine", listed("buy; purchase; get hold of")),
    ("machine", listed("sell; get rid of; find a buyer for")),
    ("machine", listed("move; carry; shift")),
    ("food", listed("cook; prepare; make")),
    ("food", listed("store; keep; put away")),
    ("food", listed("freeze; deep-freeze; put on ice")),
    ("paper", listed("renew; extend; prolong")),
    ("paper", listed("cancel; end; give up")),
    ("paper", listed("apply for; request; ask for")),
    ("paper", listed("lose; mislay; misplace")),
]
THINGS = {
    "machine": listed(
        "the oven; my bike; the dishwasher; a fridge; an old piano; the sofa; a lamp; the mower;"
        "a wooden table; the coffee machine; the printer; my laptop"
    ),
    "food": listed("rice; fresh fish; mushrooms; tomato soup; beans; bread; potatoes; carrot cake"),
    "paper": listed(
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
    "open": (listed("open; unlocked"), listed("closed; shut")),
    "hot": (listed("hot; very warm"), listed("cold; freezing")),
    "clean": (listed("clean; spotless"), listed("dirty; full of mud")),
    "full": (listed("crowded; full of people"), listed("empty; deserted")),
    "new": (listed("new; modern"), listed("old; ancient")),
    "quiet": (listed("quiet; silent"), listed("loud; noisy")),
    "broken": (listed("broken; out of order"), listed("working; repaired")),
    "dry": (listed("dry; without a drop of water"), listed("wet; soaked")),
}
HOME_THINGS = {
    "open": listed("the kitchen window; the front door; the garage; the cellar door; the gate"),
    "hot": listed("the soup; the tea; the oven; the bath water; the living room"),
    "clean": listed("the carpet; the white shirt; the bathroom; the floor; the car"),
    "full": listed("the kitchen; our garden; the balcony; the living room; the pool"),
    "new": listed("the sofa; our house; the piano; the bathroom; the table"),
    "quiet": listed("the dog; the fridge; the baby; the washing machine; the flat upstairs"),
    "broken": listed("the lamp; the heating; the television; the doorbell; the toaster"),
    "dry": listed("the towel; the washing; the firewood; the bathroom floor; the grass"),
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
    "open": listed("the village shop; the town hall; the bridge; the museum; the mill"),
    "hot": listed("the lake; the church; the school; the bakery; the month of May"),
    "clean": listed("the river; the beach; the fountain; the bus; the market"),
    "full": listed("the church; the bus; the market square; the school; the festival tent"),
    "new": listed("the fire station; the stone bridge; the school roof; the tram"),
    "quiet": listed("the main street; the harbour; the playground; the forest path"),
    "broken": listed("the church clock; the ferry; the water pump; the street light"),
    "dry": listed("the football field; the river bed; the hay; the summer"),
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
