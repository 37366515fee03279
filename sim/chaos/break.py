#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Copies a source with one mistake in it:  break.py SOURCE COPY RIGHT WRONG
The right text must be there exactly once, so that a mistake is never lost unnoticed."""
import sys

source, copy, right, wrong = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = file.read()
if text.count(right) != 1:
    sys.exit(f"{source} holds {text.count(right)} times: {right}\n"
             "It is what a broken build changes: say in sim/chaos/meson.build how the mistake is made now.")
with open(copy, "w", encoding="utf-8") as file:
    file.write(text.replace(right, wrong))
