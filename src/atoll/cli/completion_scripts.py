"""What a shell runs at a Tab: it asks `atoll __complete WORD ...` (`complete.py`)."""

SCRIPTS = {
    "bash": """_atoll() {
  local IFS=$'\\n'
  COMPREPLY=($(atoll __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _atoll atoll
""",
    "zsh": """#compdef atoll
_atoll() {
  local -a found
  found=("${(@f)$(atoll __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -n "$found" ]] && compadd -- $found || _files
}
compdef _atoll atoll
""",
    "fish": "complete -c atoll -a '(atoll __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'\n",
}


def script(shell: str) -> str:
    """Return the script of a shell.  Raises Failure."""
    if shell not in SCRIPTS:
        from atoll.cli.failure import Failure

        raise Failure(f"{shell!r} is not a shell that Atoll knows", "name one of: " + ", ".join(SCRIPTS), 2)
    return SCRIPTS[shell]
