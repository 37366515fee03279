# SPDX-License-Identifier: Apache-2.0
"""Completion as people use it: by the shells themselves, with what the package installed."""
import os
import pty
import re
import select
import subprocess
import time

LIMIT_S = 60


def environment(root, folder):
    return {"PATH": os.path.join(root, "usr/bin") + ":" + os.environ["PATH"], "HOME": folder, "TERM": "dumb",
            "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null", "KUBECONFIG": os.path.join(folder, "kubeconfig")}


class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self, argv, env, folder):
        self.said = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(argv[0], argv, env)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def read_until(self, mark):
        end = time.monotonic() + LIMIT_S
        while mark.encode() not in self.said:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{mark} did not come within {LIMIT_S} s; the shell said: {self.said!r}")
            self.said += os.read(self.fd, 65536)
        return self.said.decode(errors="replace")

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def type_line(argv, setup, line, env, folder):
    """The words that the shell has after `line` and the Tab key. Marks are quoted in the middle where they are typed, so
    that the terminal's echo is not taken for them."""
    terminal = Terminal(argv, env, folder)
    try:
        terminal.type(setup + "; echo REA''DY\r")
        terminal.read_until("READY")
        terminal.type(line + "\t\x01printf '<%s>\\n' \r" + "echo DO''NE\r")
        return re.findall(r"^<(.*)>\r$", terminal.read_until("DONE"), re.MULTILINE)
    finally:
        terminal.close()


def type_in_bash(root, line, folder):
    setup = f"PS1=; bind 'set enable-bracketed-paste off'; source {root}/usr/share/bash-completion/completions/facet"
    return type_line(["bash", "--norc", "--noprofile", "-i"], setup, line, environment(root, folder), folder)


def type_in_zsh(root, line, folder):
    setup = (f"PS1=; fpath=({root}/usr/share/zsh/vendor-completions $fpath); autoload -Uz compinit; compinit -u -D; "
             "unset zle_bracketed_paste")
    return type_line(["zsh", "-f", "-i"], setup, line, environment(root, folder) | {"TERM": "vt100"}, folder)


def offered_by_bash(root, words, folder):
    """What the completion function leaves in COMPREPLY; words as bash itself splits them."""
    script = ('compopt() { :; }; source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="${*}"; '
              'COMP_LINE=${COMP_LINE// = /=}; COMP_LINE=${COMP_LINE/% =/=}; COMP_POINT=${#COMP_LINE}; _facet; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, f"{root}/usr/share/bash-completion/completions/facet", *words], text=True,
                          env=environment(root, folder), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, timeout=LIMIT_S)
    return done.stdout.split()


def offered_by_fish(root, line, folder):
    script = f"source {root}/usr/share/fish/vendor_completions.d/facet.fish; complete -C \"$argv\""
    done = subprocess.run(["fish", "--no-config", "-c", script, line], text=True, env=environment(root, folder), cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=LIMIT_S)
    return [candidate.split("\t")[0] for candidate in done.stdout.splitlines()]


def offered_by_kubectl(kubectl, root, words, folder):
    done = subprocess.run([kubectl, "__complete", "facet", *words], text=True, env=environment(root, folder), cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=LIMIT_S)
    return [candidate.split("\t")[0] for candidate in done.stdout.splitlines()]
