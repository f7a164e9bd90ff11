"""A click command that takes MetalLB's flags as Go programs take them (C-29)."""

from collections.abc import Callable

import click
from typing_extensions import override

from ferrolb.cli.goflags import GoFlagError, normalise


def hidden_flags(
    *names: str, is_switch: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Accept flags that the program itself does not read; the help leaves them out."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for name in names:
            option = click.option(
                f"--{name}", is_flag=is_switch, default=None, hidden=True, expose_value=False
            )
            function = option(function)
        return function

    return decorate


class GoCommand(click.Command):
    """Accepts `-flag=value` and `-flag value` beside click's own syntax."""

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
