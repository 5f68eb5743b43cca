"""The command ``python -m infra.local.fal``, which runs a simulated fal until a signal."""

from infra.local.fal.options import arguments


def main() -> None:
    """Read the options, and serve until SIGINT or SIGTERM."""
    args = arguments()
    # Help and wrong options need nothing of it.
    from infra.local.fal.command import run

    run(args)


if __name__ == "__main__":
    main()
