"""Text in a semantic HTML element."""

from nicegui.elements.mixins.text_element import TextElement


class Text(TextElement):
    """Text in an element such as `h2`, `p`, `td` or `code`; assign `text` to change it."""

    def __init__(self, tag: str, text: str = "", *, classes: str = "") -> None:
        """Shows a text.

        Args:
            tag: name of the element.
            text: its content, which is escaped.
            classes: CSS classes.
        """
        super().__init__(tag=tag, text=text)
        if classes:
            self.classes(classes)
