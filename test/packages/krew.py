# SPDX-License-Identifier: Apache-2.0
"""What krew demands of a manifest, by its internal/index/validation/validate.go and pkg/index/types.go (v0.4), and what
its guide for plugin developers asks beyond: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/"""
import re

FIELDS = {"": {"apiVersion", "kind", "metadata", "spec"}, "metadata": {"name"},
          "spec": {"version", "shortDescription", "description", "caveats", "homepage", "platforms"},
          "platform": {"uri", "sha256", "files", "selector", "bin"}, "file": {"from", "to"},
          "selector": {"matchLabels", "matchExpressions"}}
SHORT_DESCRIPTION_MAX = 50


def unknown(kind, where):
    return [f"{kind or 'manifest'}: there is no field {field}" for field in where if field not in FIELDS[kind]]


def check_platform(platform):
    problems = unknown("platform", platform)
    for field in ("uri", "bin"):
        if not platform.get(field):
            problems.append(f"{field} is empty")
    if not re.fullmatch("[a-f0-9]{64}", str(platform.get("sha256", ""))):
        problems.append("sha256 is no sum")
    for file in platform.get("files", []):
        problems += unknown("file", file)
        if not file.get("from") or not file.get("to"):
            problems.append("a file without from or to")
    selector = platform.get("selector") or {}
    problems += unknown("selector", selector)
    labels = selector.get("matchLabels") or {}
    if not labels and not selector.get("matchExpressions"):
        problems.append("the selector is empty")
    return problems + [f"the selector asks for {label}" for label in labels if label not in ("os", "arch")]


def check(manifest, name):
    """Sentences about what krew would refuse."""
    spec = manifest.get("spec", {})
    problems = unknown("", manifest) + unknown("metadata", manifest.get("metadata", {})) + unknown("spec", spec)
    if manifest.get("apiVersion") != "krew.googlecontainertools.github.com/v1alpha2" or manifest.get("kind") != "Plugin":
        problems.append("apiVersion or kind is wrong")
    if manifest.get("metadata", {}).get("name") != name or not re.fullmatch(r"[\w-]+", name):
        problems.append("the name is wrong")
    if not re.fullmatch(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", str(spec.get("version", ""))):
        problems.append("version is no v1.2.3")
    short = spec.get("shortDescription", "")
    if not short or "\n" in short or len(short) > SHORT_DESCRIPTION_MAX:
        problems.append("shortDescription is missing or too long")
    if not spec.get("platforms"):
        problems.append("no platform")
    return problems + [problem for platform in spec.get("platforms", []) for problem in check_platform(platform)]
