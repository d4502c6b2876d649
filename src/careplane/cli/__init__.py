"""The command line: thin commands over the rooms below.

Each command is a module of this package with a click command named ``command``; modules are imported only when their
command runs, so ``careplane --help`` stays quick.
"""

import importlib
import os
import sys
from collections.abc import Sequence

import click

from careplane import __version__
from careplane._shelf import missing
from careplane.errors import CareplaneError

COMMANDS: dict[str, str] = {
    "app": "The apps: new, check, list, show, try, schema.",
    "bulk": "Exports of the EHR: export, load, cancel.",
    "budget": "What apps and sites spent on models: show.",
    "chat": "Conversations with patients: list, show, reply.",
    "cds": "CDS Hooks: which EHRs may call.",
    "check": "Live checks: integration.",
    "erp": "The ERP: read an export, list the files that were taken.",
    "monitor": "Monitoring: the layers of each app, breaches, harm flags.",
    "message": "Messages to patients: list, preview, retry, cancel, letter.",
    "x12": "X12: read remittances and claims, write requests (278).",
    "quality": "Quality of what models write: evaluate, sample, judge, compare.",
    "demo": "Run the whole journey on a synthetic health system.",
    "downtime": "What is away, and drills of the fallback: drill, status, end.",
    "hl7v2": "HL7 v2: parse files, send over MLLP, see what came.",
    "ledger": "The audit ledger: verify, anchor, prove, show, export, keep.",
    "load": "Load FHIR R4 bulk NDJSON.",
    "measure": "Measures: run, list, show, check, figure.",
    "sandbox": "Generate a synthetic health system from a seed.",
    "evidence": "Results of plans: list, show, report, replay.",
    "estimate": "One estimator on one table: the effect and its interval.",
    "gateway": "Serve the gateway's APIs alone.",
    "serve": "Serve the console and the gateway.",
    "shield": "The PHI shield on texts of your own: scan, roundtrip.",
    "settings": "Show every setting, its value and where it came from.",
    "view": "Tables out of FHIR resources by SQL on FHIR: run, check.",
    "user": "Console accounts: add, list, disable, link.",
    "key": "Gateway keys of apps: issue, list, revoke.",
    "guard": "The guards: what speaks to the model in texts of your own.",
    "worker": "Workers without HTTP, their leases, and failed events.",
    "smart": "EHRs that may open Careplane from a chart: add, list, remove.",
    "survey": "Surveys of patients: convert a vendor's file.",
    "subscription": "Subscriptions at the EHR: list.",
    "stop": "The kill switch: stop an app, a site or a version.",
    "plan": "Evaluation plans: wizard, list, show, lock, assign, amend.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"careplane.cli.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)  # noqa: S101 - a promise between two of our own files
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in sorted(COMMANDS)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(missing("command", args[0], COMMANDS))
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, prog_name="careplane")
def careplane() -> None:
    """Careplane: run all GenAI of a health system, and find out what is worth scaling.

    \b
    Example:
      careplane demo --no-serve --seed 7 --out out/d7
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; an expected error is one message on standard error and an exit code, never a traceback."""
    try:
        code = careplane.main(args=list(argv) if argv is not None else None, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        code = 130
    except CareplaneError as error:
        click.echo(f"careplane: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except OSError as error:
        click.echo(f"careplane: {_of_the_system(error)}", err=True)
        code = CareplaneError.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _of_the_system(error: OSError) -> str:
    """What the operating system refused, and about which file; such as a full disk or a missing permission."""
    told = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {told}" if error.filename else told
