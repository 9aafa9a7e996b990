"""leave.py: the end of a program that has used PyArrow.

PyArrow 26.0.1 aborts some exits of the interpreter, while threads of its own end: "terminate called without an active
exception", after everything has been read and said. An error still ends the program as ever.
"""

import os
import sys


def leave():
    sys.stdout.flush()
    os._exit(0)
