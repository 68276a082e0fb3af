# Completion of `atoll` for bash: the command itself says what may come next.
_atoll_completion() {
    local IFS=$'\n'
    COMPREPLY=($(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" _ATOLL_COMPLETE=complete_bash "$1"))
}

complete -o default -F _atoll_completion atoll
