"""The same fold on Apache Flink: a keyed process function whose state lives in Flink's checkpoints."""

import sys as _sys

# PyFlink's workers replace `print` by one that its module does not hold under that name, and numba looks there for it.
if not hasattr(_print_module := _sys.modules[print.__module__], print.__name__):
    setattr(_print_module, print.__name__, print)
