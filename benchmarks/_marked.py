"""Text that is written by a program into a page that people write."""

from __future__ import annotations


def with_written(page: str, begin: str, end: str, words: str) -> str:
    """The page with what stands between its two marks written anew.

    Raises
    ------
    ValueError
        A mark is not there.
    """
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"the page has no {begin!r} with {end!r} behind it")
    return f"{before}{begin}\n{words}{end}{after}"
