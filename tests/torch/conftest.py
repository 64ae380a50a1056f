"""What torch imports late is imported here: its own use of what it has deprecated is a warning."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch._decomp.decompositions_for_jvp
    import torch._inductor.compile_fx  # noqa: F401
