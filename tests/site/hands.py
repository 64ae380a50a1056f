"""A person's hands on a page that is open in the browser: the mouse and the keyboard, by events of the browser."""

from __future__ import annotations

from tests.cli.browser import Page

# Their codes on Windows, by which the browser knows what they do.
KEYS = {"Backspace": 8, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}


def click(page: Page, selector: str, times: int = 1) -> None:
    """Click into the middle of an element; three times selects what stands in a field."""
    x, y = page.evaluate(
        f"""(() => {{
          const element = document.querySelector({selector!r});
          element.scrollIntoView({{block: 'center', behavior: 'instant'}});
          const box = element.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()"""
    )
    for count in range(1, times + 1):
        for kind in ("mousePressed", "mouseReleased"):
            page.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count)


def press(page: Page, key: str) -> None:
    """Press a key, where the focus is."""
    for kind in ("keyDown", "keyUp"):
        page.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])


def type_into(page: Page, selector: str, text: str) -> None:
    """Replace what stands in a field."""
    click(page, selector, times=3)
    press(page, "Backspace")
    page.ask("Input.insertText", text=text)
