# SPDX-License-Identifier: Apache-2.0
# Completion of facet for fish: `facet complete` knows its own words.

function __facet_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l answer ($words[1] complete $words[2..-1] "$word" 2>/dev/null)
    set -l directive $answer[-1]
    if test (count $answer) -gt 1
        printf '%s\n' $answer[1..-2]
        return
    end
    set -l before (string match -r -- '^--[^=]*=' $word; or echo)
    switch "$directive"
        case ':0'
            printf '%s\n' $before(__fish_complete_path (string replace -r -- '^--[^=]*=' '' $word))
        case ':16'
            printf '%s\n' $before(__fish_complete_directories (string replace -r -- '^--[^=]*=' '' $word))
    end
end

complete -c facet -f -a '(__facet_complete)'
complete -c kubectl-facet -f -a '(__facet_complete)'
