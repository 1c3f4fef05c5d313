"""Iterative reconstruction of a scan, by pty-chi in a process of its own.

`reconstruct` yields an `Iteration` for each pass over the frames.  pty-chi is
an extra (``pip install "napari-ptychonn[epie]"``); `why_not` says when it is
missing.  It never runs in the process of its caller: it changes torch's global
state, and when it crashes or runs out of memory, only its own process ends.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
