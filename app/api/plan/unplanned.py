"""What keeps an operation from being planned. It is carried out field by field then, with the same answer."""


class Unplanned(Exception):
    """The reason, in a word or two, by which such operations are counted."""
