"""Counts of things in sentences: a number, its noun in the right form, and a verb that agrees."""


def counted(number: int, noun: str, verb: str = "", *, plural: str = "") -> str:
    """A number with a noun, such as `1 job` or `2,000 jobs`.

    Args:
        number: how many.
        noun: in the singular; an s makes its plural, and an es the plural of a noun such as `batch`.
        verb: in the plural, such as `wait`; follows where it is given, as `waits` in the singular.
        plural: of a noun that has another one, such as `categories`.
    """
    told = noun_for(number, noun, plural=plural)
    if not verb:
        return f"{number:,} {told}"
    return f"{number:,} {told} {verb}s" if number == 1 else f"{number:,} {told} {verb}"


def noun_for(number: int, noun: str, *, plural: str = "") -> str:
    """The form of a noun that goes with a number, such as `scopes` with 2."""
    if number == 1:
        return noun
    return plural or (f"{noun}es" if noun.endswith(("ch", "s", "x")) else f"{noun}s")
