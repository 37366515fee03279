# SPDX-License-Identifier: Apache-2.0
"""Runs a program that paints on a terminal until all the texts were painted, and says which were not.

usage: monitors.py PROGRAM TEXT...
"""
import os
import pty
import re
import select
import sys
import time

LIMIT_S = 20


def main():
    program, wanted = sys.argv[1], sys.argv[2:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(program, [program])
    painted, end = "", time.monotonic() + LIMIT_S
    while any(text not in painted for text in wanted) and time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 1)
        try:
            piece = os.read(terminal, 65536) if ready else b""
        except OSError:  # the program ended
            break
        painted += re.sub(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\([A-B])", "", piece.decode(errors="replace"))
    os.kill(pid, 15)
    os.waitpid(pid, 0)
    for text in wanted:
        print(("painted: " if text in painted else "missing: ") + text)


main()
