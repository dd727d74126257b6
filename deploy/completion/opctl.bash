# Completion of opctl for bash: the program itself knows what may come next.
_opctl()
{
    local IFS=$'\n'
    COMPREPLY=($("$1" completion -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _opctl opctl
