"""A click command that takes MetalLB's flags as Go programs take them (C-29)."""

from collections.abc import Sequence

import click
from typing_extensions import override

from ferrolb.cli.goflags import GoFlagError, normalise


class GoCommand(click.Command):
    """Accepts `-flag=value`, and `retired` flags that MetalLB no longer has, without effect."""

    def __init__(self, *args: object, retired: Sequence[str] = (), **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.params += [
            click.Option([f"--{name}"], hidden=True, is_flag=name in _RETIRED_SWITCHES)
            for name in retired
        ]

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = [param for param in self.params if isinstance(param, click.Option)]
        flags = [(opt.removeprefix("--"), param) for param in options for opt in param.opts]
        try:
            rewritten = normalise(
                args,
                flags=[name for name, _ in flags],
                booleans=[name for name, param in flags if param.is_flag],
            )
        except GoFlagError as error:
            raise click.UsageError(str(error), ctx) from error
        return super().parse_args(ctx, rewritten)


_RETIRED_SWITCHES = frozenset({"enable-pprof", "disable-epslices"})
