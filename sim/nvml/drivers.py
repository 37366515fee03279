#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the build and the README make of functions.txt.

    drivers.py source FUNCTIONS OUT.c           the table of all functions, and those that answer NOT_SUPPORTED
    drivers.py exports FUNCTIONS DRIVER OUT     the linker's version script of one driver's library; DRIVER 0: of all
    drivers.py folders STAMP FOLDER DRIVER=LIBRARY...   FOLDER/DRIVER/libnvidia-ml.so.1 for each
    drivers.py readme FUNCTIONS README [--write]        holds the README's list of functions against the table
"""
import os
import re
import shutil
import sys

BEGIN = "<!-- functions.txt, by drivers.py readme --write -->\n"
END = "<!-- end of functions.txt -->\n"
STATES = {"simulated": "simulated", "constant": "constant", "-": "not supported"}


class Table:
    def __init__(self, path):
        self.drivers, self.rows = [], []
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                words = line.split()
                if not words or words[0].startswith("#"):
                    continue
                if words[0] == "driver":
                    self.drivers.append(words[1])
                elif len(words) == 4 and words[0].startswith("nvml") and words[3] in STATES:
                    self.rows.append((words[0], int(words[1]), None if words[2] == "-" else int(words[2]), words[3]))
                else:
                    sys.exit(f"{path}:{number}: makes no sense: {line.rstrip()}")
        if [row[0] for row in self.rows] != sorted({row[0] for row in self.rows}):
            sys.exit(f"{path}: the functions are not sorted, or one stands there twice")

    def branches(self):
        return [int(driver.split(".")[0]) for driver in self.drivers]

    def exported(self, driver):
        """The names in the library of this driver; 0: of all of them."""
        return [name for name, since, until, _ in self.rows
                if driver == 0 or (since <= driver and (until is None or driver <= until))]


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def source(table, path):
    stubs = [row[0] for row in table.rows if row[3] == "-"]
    lines = ["/* SPDX-License-Identifier: Apache-2.0 */",
             "/* Made from functions.txt by drivers.py. */",
             '#include "sim/nvml/abi.h"',
             '#include "sim/nvml/call.h"',
             '#include "sim/nvml/functions.h"',
             "#ifdef NVML_ABI_EXPORT",
             "#pragma GCC visibility push(default)",
             "#endif"]
    for name in stubs:
        lines += [f"NvmlReturn {name}(void);",
                  f'NvmlReturn {name}(void) {{ return sim_call_refuse("{name}"); }}']
    lines += ["#ifdef NVML_ABI_EXPORT", "#pragma GCC visibility pop", "#endif", "const SimFunction sim_functions[] = {"]
    for name, since, until, _ in table.rows:
        lines.append(f'  {{"{name}", (void *){name}, {since}, {until or 0}}},')
    lines += ["};", f"const int sim_function_count = {len(table.rows)};", "const SimRelease sim_releases[] = {"]
    lines += [f'  {{{branch}, "{driver}"}},' for branch, driver in zip(table.branches(), table.drivers)]
    lines += ["};", f"const int sim_release_count = {len(table.drivers)};"]
    write(path, "\n".join(lines) + "\n")


def exports(table, driver, path):
    names = table.exported(driver)
    write(path, "{ global:\n" + "".join(f"  {name};\n" for name in names) + "  local: *;\n};\n")


def folders(stamp, folder, libraries):
    for item in libraries:
        driver, library = item.split("=", 1)
        place = os.path.join(folder, driver)
        os.makedirs(place, exist_ok=True)
        new = os.path.join(place, "new")
        shutil.copy(library, new)
        os.replace(new, os.path.join(place, "libnvidia-ml.so.1"))
    write(stamp, "")


def readme(table, path, may_write):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    lines = ["| function | drivers | state |\n", "|---|---|---|\n"]
    for name, since, until, state in table.rows:
        drivers = f"{since} to {until}" if until else f"{since} on"
        lines.append(f"| `{name}` | {drivers} | {STATES[state]} |\n")
    wanted = BEGIN + "".join(lines) + END
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"{path} lacks the lines {BEGIN.strip()} and {END.strip()}")
    new = pattern.sub(lambda _: wanted, text)
    if new != text and not may_write:
        sys.exit(f"{path} differs from functions.txt: run sim/nvml/drivers.py readme sim/nvml/functions.txt {path} --write")
    if new != text:
        write(path, new)
    print(f"readme: {len(table.rows)} functions")


def main():
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "folders":
        folders(arguments[0], arguments[1], arguments[2:])
        return
    table = Table(arguments[0])
    if verb == "source":
        source(table, arguments[1])
    elif verb == "exports":
        exports(table, int(arguments[1]), arguments[2])
    else:
        readme(table, arguments[1], "--write" in arguments)


main()
