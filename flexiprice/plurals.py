"""Formats numbers with a noun and a verb that agree, such as `1 job waits` or `2 jobs wait`."""


def counted(number: int, noun: str, verb: str = "", *, plural: str = "") -> str:
    """Formats a number with a noun, such as `1 job` or `2,000 jobs`.

    Args:
        number: the number.
        noun: singular of the noun; the plural adds s, or es to a noun such as `batch`.
        verb: optional verb in the plural, such as `wait`; becomes `waits` in the singular.
        plural: irregular plural of the noun, such as `categories`.
    """
    form = noun_for(number, noun, plural=plural)
    if not verb:
        return f"{number:,} {form}"
    return f"{number:,} {form} {verb}s" if number == 1 else f"{number:,} {form} {verb}"


def noun_for(number: int, noun: str, *, plural: str = "") -> str:
    """Returns the form of a noun that agrees with a number, such as `scopes` for 2."""
    if number == 1:
        return noun
    return plural or (f"{noun}es" if noun.endswith(("ch", "s", "x")) else f"{noun}s")
