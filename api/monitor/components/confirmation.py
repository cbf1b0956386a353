"""Asking once more before something is done that cannot be taken back."""

from nicegui import ui

from api.monitor.components.text import Text


async def confirmed(
    title: str, consequence: str, *, verb: str, typed: str | None = None, harmless: bool = False
) -> bool:
    """Whether the viewer wants it, having read what it does.

    Args:
        title: the question.
        consequence: what will happen.
        verb: what the button says.
        typed: what must be typed before the button can be pressed.
        harmless: the button is not red.
    """
    colour = "primary" if harmless else "negative"
    with ui.dialog() as dialog, ui.element("div").classes("dialog").props("role=alertdialog aria-modal=true"):
        Text("h2", title)
        Text("p", consequence)
        field = None
        if typed is not None:
            field = ui.input(f"Type “{typed}” to confirm").props("outlined dense autofocus autocomplete=off")
            field.classes("dialog-field")
        with ui.element("div").classes("dialog-buttons"):
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat no-caps")
            button = ui.button(verb, on_click=lambda: dialog.submit(True)).props(
                f"unelevated no-caps color={colour}"
            )
        if field is not None:
            button.disable()
            field.on_value_change(lambda event: button.set_enabled(str(event.value).strip() == typed))
    try:
        answer: object = await dialog
    finally:
        dialog.delete()
    return answer is True and (field is None or str(field.value).strip() == typed)
