"""Small files of labelled rows that tests of the commands share."""

import csv

EXAMPLES = """\
text,label
where is my parcel,delivery
the delivery is late,delivery
i want my money back,refund
please refund the order,refund
"""
NEW = 'id,text\n7,"the parcel, again"\n8,refund my money\n'
SENTENCES = "anna PER\nlives O\nin O\nparis LOC\n\nbob PER\nworks O\nin O\nrome LOC\n\n"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
