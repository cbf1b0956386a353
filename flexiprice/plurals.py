"""Counts of things in sentences: a number, its noun in the right form, and a verb that agrees."""


def counted(number: int, noun: str, verb: str = "") -> str:
    """A number with a regular noun, such as `1 job` or `2,000 jobs`.

    Args:
        number: how many.
        noun: in the singular; an s makes its plural.
        verb: in the plural, such as `wait`; follows where it is given, as `waits` in the singular.
    """
    if number == 1:
        return f"1 {noun} {verb}s" if verb else f"1 {noun}"
    return f"{number:,} {noun}s {verb}" if verb else f"{number:,} {noun}s"
