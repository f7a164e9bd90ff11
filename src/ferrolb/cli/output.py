"""Printing values in the formats that `-o` offers."""

import json
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from ferrolb.model import JsonObject

OUTPUT: Final = click.Choice(["text", "json", "yaml"])
"""Values of `-o`."""


def print_object(value: "JsonObject", output: str) -> None:
    """Print `value` as "json" or "yaml"."""
    if output == "json":
        click.echo(json.dumps(value, indent=2))
        return
    import yaml

    click.echo(yaml.safe_dump(value, sort_keys=False), nl=False)
