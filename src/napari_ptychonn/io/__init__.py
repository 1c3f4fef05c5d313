"""Read and write files: scans, reconstructions, results and training data.

'FILE::/group' names a group inside a file.  Importing this imports none of the
file libraries; the first use of a name does.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
