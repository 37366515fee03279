# SPDX-License-Identifier: Apache-2.0
"""The list of what is in the image: SPDX 2.3 as JSON."""
import json
import re
import time
from urllib.parse import quote

import licences


def identity(name):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", name)


def timestamp(epoch):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


def debian_package(package, expression):
    """`package` as of dpkg.Package."""
    url = (f"pkg:deb/debian/{quote(package.name, safe='')}@{quote(package.version, safe='')}"
           f"?arch={package.architecture}&distro=debian-12")
    return {
        "SPDXID": identity("Debian-" + package.name), "name": package.name, "versionInfo": package.version,
        "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "sourceInfo": f"built from {package.source} {package.source_version}",
        "licenseConcluded": "NOASSERTION", "licenseDeclared": expression, "copyrightText": "NOASSERTION",
        "licenseComments": "All licences that Debian's copyright file names for the source package.",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}],
    }


def own_package(name, version, purpose, revision):
    return {
        "SPDXID": identity(name), "name": name, "versionInfo": version, "primaryPackagePurpose": purpose,
        "supplier": "NOASSERTION", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "sourceInfo": f"revision {revision}", "licenseConcluded": "NOASSERTION", "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
    }


def relation(one, how, other):
    return {"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other}


def document(about, packages, copyrights, content_digest):
    """about: image.About; packages: dpkg.Package; copyrights: {package name: text}; the digest makes the name unique."""
    title = f"facet-{about.version}-{about.architecture}"
    image, program = own_package("facet-image", about.version, "CONTAINER", about.revision), \
        own_package("facet", about.version, "APPLICATION", about.revision)
    image["licenseDeclared"] = "NOASSERTION"
    listed, references = [image, program], {}
    for package in packages:
        expression, found = licences.declared(package.name, copyrights[package.name])
        for reference, text in found.items():
            references.setdefault(reference, []).append(text)
        listed.append(debian_package(package, expression))
    relations = [relation("SPDXRef-DOCUMENT", "DESCRIBES", image["SPDXID"])]
    relations += [relation(image["SPDXID"], "CONTAINS", item["SPDXID"]) for item in listed[1:]]
    tree = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": title,
        "documentNamespace": f"https://spdx.org/spdxdocs/{title}-{content_digest}",
        "creationInfo": {"created": timestamp(about.epoch), "creators": [f"Tool: facet-image-{about.version}"]},
        "packages": listed, "relationships": relations,
        "hasExtractedLicensingInfos": [{"licenseId": reference, "extractedText": "\n".join(sorted(set(texts)))}
                                       for reference, texts in sorted(references.items())],
    }
    return (json.dumps(tree, indent=1, sort_keys=True) + "\n").encode()
