"""The paper's experiments on any scan: sparse sampling, few training frames, a warm start.

Each study is an iterator: it yields `Stage` while it works, and the study so
far after every finished point, so that stopping loses nothing that was done.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
