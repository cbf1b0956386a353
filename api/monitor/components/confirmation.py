"""Confirmation dialogs."""

from nicegui import ui

from api.monitor.components.text import Text


async def confirmed(
    title: str, consequence: str, *, verb: str, typed: str | None = None, harmless: bool = False
) -> bool:
    """Shows a dialog, and returns whether the user confirms.

    Args:
        title: the question.
        consequence: the consequence of confirming.
        verb: label of the confirming button.
        typed: text that the user must type first.
        harmless: whether the action can be undone; if not, the button is red.
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
