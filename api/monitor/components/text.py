"""Text in the HTML element that says what it is."""

from nicegui.elements.mixins.text_element import TextElement


class Text(TextElement):
    """Text in an element such as `h2`, `p`, `td` or `code`; change it by its `text`."""

    def __init__(self, tag: str, text: str = "", *, classes: str = "") -> None:
        """Shows a text.

        Args:
            tag: the element.
            text: its content; never read as HTML.
            classes: of the style sheet.
        """
        super().__init__(tag=tag, text=text)
        if classes:
            self.classes(classes)
