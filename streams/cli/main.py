"""The `sluice` command: groups are imported when they are used, so `sluice stack` never pays for Faust."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "config": "streams.cli.config:config",
    "deadletters": "streams.cli.deadletters:deadletters",
    "demo": "streams.cli.demo:demo",
    "explain": "streams.cli.explain:explain",
    "flows": "streams.cli.flows:group",
    "ledger": "streams.cli.ledger:ledger",
    "policies": "streams.cli.policies:group",
    "polls": "streams.cli.polls:polls",
    "quota": "streams.cli.quota:group",
    "run": "streams.cli.run:run",
    "schemas": "streams.cli.schemas:schemas",
    "stack": "streams.cli.stack:stack",
    "state": "streams.cli.state:group",
    "tasks": "streams.cli.tasks:group",
    "topics": "streams.cli.topics:topics",
}


class LazyGroup(click.Group):
    """A click group whose commands live one per module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, attribute = target.split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="sluice")
def main() -> None:
    """Sluice: webhooks and polls in, ordered and conflict-free state out, every API inside its quota."""


if __name__ == "__main__":
    main()
