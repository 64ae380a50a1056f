"""For threadpoolctl: importing this module registers softgrad's threads, to be listed and limited as those of BLAS are.

Examples
--------
>>> import softgrad as sg, threadpoolctl
>>> import softgrad.threadpoolctl
>>> with threadpoolctl.threadpool_limits(1):
...     sg.get_num_threads()
1
"""

from __future__ import annotations

import threadpoolctl

from softgrad._version import __version__


class SoftgradController(threadpoolctl.LibController):  # type: ignore[misc]
    """The threads of the native core. A limit holds for the whole process, as that of `softgrad.set_num_threads`."""

    user_api = "softgrad"
    internal_api = "softgrad"
    filename_prefixes = ("_core",)
    # Other packages call their libraries so too; these symbols are softgrad's alone.
    check_symbols = ("softgrad_get_num_threads", "softgrad_set_num_threads")

    def get_num_threads(self) -> int:
        return int(self.dynlib.softgrad_get_num_threads())

    def set_num_threads(self, num_threads: int) -> None:
        self.dynlib.softgrad_set_num_threads(num_threads)

    def get_version(self) -> str:
        return __version__


threadpoolctl.register(SoftgradController)
