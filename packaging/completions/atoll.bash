_atoll() {
  local IFS=$'\n'
  COMPREPLY=($(atoll __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _atoll atoll
