complete -c atoll -a '(atoll __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
