# SPDX-License-Identifier: Apache-2.0
"""Debian's copyright files as SPDX expressions: all licences that a machine-readable one (DEP-5) names, joined by AND."""
import re

# Debian's short names where they are not SPDX' own; versions of the GPL family follow a rule.
IDENTIFIERS = {
    "Apache-2": "Apache-2.0", "Apache-2.0": "Apache-2.0", "Artistic": "Artistic-1.0-Perl", "BSD-2-clause": "BSD-2-Clause",
    "BSD-3-clause": "BSD-3-Clause", "BSD-3-Clause": "BSD-3-Clause", "BSD3": "BSD-3-Clause", "BSD-4-clause": "BSD-4-Clause",
    "BSD-4-clause-UC": "BSD-4-Clause-UC", "BSD-4-Clause-UC": "BSD-4-Clause-UC", "Beerware": "Beerware",
    "CC-BY-4.0": "CC-BY-4.0", "Expat": "MIT", "MIT": "MIT", "FSFULLR": "FSFULLR", "ISC": "ISC", "Latex2e": "Latex2e",
    "MPL-1.1": "MPL-1.1", "MPL-2.0": "MPL-2.0", "OLDAP-2.8": "OLDAP-2.8", "OpenLDAP-2.8": "OLDAP-2.8",
    "OpenSSL": "OpenSSL", "X11": "X11", "Zlib": "Zlib", "zlib": "Zlib", "curl": "curl",
}
GNU = re.compile(r"(GPL|LGPL|GFDL)-(\d)(?:\.(\d))?(\+?)")
PARAGRAPH = re.compile(r"\n[ \t]*\n")


def identifier(name, found):
    """One licence without "and" and "or"; what SPDX does not know is added to `found`."""
    gnu = GNU.fullmatch(name)
    if gnu:
        family, major, minor, later = gnu.groups()
        return f"{family}-{major}.{minor or 0}-{'or-later' if later else 'only'}"
    if name in IDENTIFIERS:
        return IDENTIFIERS[name]
    reference = "LicenseRef-Debian-" + re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")
    found[reference] = name
    return reference


def expression(text, found):
    """DEP-5: "or" binds weaker than "and", and a comma weaker than both."""
    for separator, word in ((r",\s*(?:and\s+)?", "AND"), (r"\s+or\s+", "OR"), (r"\s+and\s+", "AND")):
        parts = re.split(separator, text)
        if len(parts) > 1:
            inner = [expression(part, found) for part in parts]
            return f" {word} ".join(f"({part})" if " " in part else part for part in inner)
    return identifier(text.strip(), found)


def names(copyright_text):
    """The licences of all Files paragraphs, each once; None where the file is prose."""
    if not re.match(r"\s*Format(-Specification)?:", copyright_text):
        return None
    found = set()
    for paragraph in PARAGRAPH.split(copyright_text):
        first = re.search(r"^License:[ \t]*(\S[^\n]*)$", paragraph, re.MULTILINE)
        if first and re.search(r"^Files:", paragraph, re.MULTILINE):
            found.add(re.sub(r"\s+", " ", first.group(1).strip()))
    return sorted(found)


def declared(package, copyright_text):
    """(SPDX expression, {LicenseRef: what stands for its text})"""
    listed = names(copyright_text)
    place = f"/usr/share/doc/{package}/copyright"
    if not listed:
        reference = f"LicenseRef-Debian-{re.sub(r'[^A-Za-z0-9.]+', '-', package)}-copyright"
        return reference, {reference: f"Debian's copyright file of {package}, in the image: {place}"}
    found = {}
    terms = sorted({expression(name, found) for name in listed})
    joined = " AND ".join(f"({term})" if " OR " in term and len(terms) > 1 else term for term in terms)
    return joined, {reference: f'"{name}": its text is in {place} of the image' for reference, name in found.items()}
