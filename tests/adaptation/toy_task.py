"""A small task of texts, and one of named entities, that tests of mappings share."""

TEXTS = [
    "where is my parcel",
    "the delivery is late",
    "i want my money back",
    "please refund the order",
]
LABELS = ["delivery", "delivery", "refund", "refund"]
MORE = ["the weather in london", "lovely in june", "the lamp is broken"]
MORE_LABELS = ["weather", "weather", "refund"]
NEW = ["where is the order", "my money", "june in london"]

WORDS = [["anna", "lives", "in", "paris"], ["bob", "works", "in", "rome"]]
TAGS = [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O", "O", "O"]]
