# Completion of `atoll` for fish: the command itself says what may come next.
complete --command atoll --no-files \
    --arguments "(env _ATOLL_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=(commandline -cp) atoll)" \
    --condition "env _ATOLL_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=is-args _TYPER_COMPLETE_ARGS=(commandline -cp) atoll"
