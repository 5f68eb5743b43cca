"""Completion in bash, which splits words at `=` and ends each completion with a space."""

import os

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    split_arg_string,
)

SCRIPT = """\
%(complete_func)s() {
    local IFS=$'\\n' type value
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                [[ $value == *= ]] && compopt -o nospace
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(COMP_TEXT="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """Completion of the whole command line up to the cursor, whatever bash splits."""

    source_template = SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the complete words after the program, and the one that is being typed."""
        text = os.environ["COMP_TEXT"]
        words = split_arg_string(text)[1:]
        incomplete = "" if text[-1:].isspace() or not words else words.pop()
        self.replaced = _before_break(incomplete, os.environ.get("COMP_BREAKS", ""))
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Return type and text; bash replaces only what follows its last break."""
        return f"{item.type},{str(item.value).removeprefix(self.replaced)}"


def register() -> None:
    """Use this completion for bash instead of click's."""
    add_completion_class(Bash)


def _before_break(word: str, breaks: str) -> str:
    """Return the part of the word that bash leaves as it is."""
    last = max((word.rfind(mark) for mark in "=:" if mark in breaks), default=-1)
    return word[: last + 1]
