"""Names that people can read: with visible characters, and without ones that reorder the text around them."""

import re
import unicodedata

from app.errors import BadUserInput

# Embeddings, overrides and isolates reorder the text around a name, so that it reads as another name.
_REORDERS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BREAKS_LINE = re.compile("[\u2028\u2029]")
# Invisible despite their category: Unicode's default-ignorable characters, and blank letters.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufdd0-\ufdef\ufff0-\ufff8\ufffe\uffff"
    "\U0001d159\U000e0000-\U000e0fff]"
)
_UNSEEN_CATEGORIES = {"Cc", "Cf", "Zl", "Zp", "Zs"}


def readable(value: str, *path: str) -> str:
    """Check a name in new input. Emoji and right-to-left scripts with their ordinary marks are fine."""
    if (found := _REORDERS.search(value)) is not None:
        mark = f"U+{ord(found[0]):04X}"
        raise BadUserInput(f"The character {mark} changes the direction of the text around it. Leave it out.", path)
    if _BREAKS_LINE.search(value):
        raise BadUserInput("A line or paragraph separator is not allowed. Leave it out.", path)
    if not any(map(_shows, value)):
        raise BadUserInput("There is nothing to see in it. Give at least one visible character.", path)
    return value


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in _UNSEEN_CATEGORIES and not _BLANK.match(character)
