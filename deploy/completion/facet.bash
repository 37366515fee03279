# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of facet for bash: `facet complete` knows its own words.

_facet() {
  local line="${COMP_LINE:0:COMP_POINT}" word before="" directive
  local -a words=() answer=()
  # bash takes "--output=json" and "a:b" apart; facet wants them whole.
  for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [ ${#words[@]} -gt 0 ] && { [[ $word == [=:]* ]] || [[ ${words[-1]} == *[=:] ]]; } \
      && [[ $line == *"${words[-1]}$word"* ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
  done
  word=${words[-1]-}
  [[ $word == *[=:]* ]] && before=${word%"${word##*[=:]}"}
  mapfile -t answer < <("${COMP_WORDS[0]}" complete "${words[@]}" 2> /dev/null)
  COMPREPLY=()
  [ ${#answer[@]} -gt 0 ] || return
  directive=${answer[-1]}
  for word in "${answer[@]::${#answer[@]}-1}"; do
    word=${word%%$'\t'*}
    COMPREPLY+=("${word#"$before"}")
  done
  [ ${#COMPREPLY[@]} -gt 0 ] && return
  word=${words[-1]-}
  word=${word#"$before"}
  case $directive in
    :0)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      ;;
    :16)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      ;;
  esac
}

complete -F _facet facet kubectl-facet
