"""``careplane app register|move``: put an app on the register, and move it through the stages of the funnel."""

from typing import get_args

import click

from careplane import alignment, governance
from careplane.records.portfolio import Stage
from careplane.server.platform import open_platform
from careplane.settings import read_settings


@click.command()
@click.argument("ident", metavar="ID")
@click.option("--by", required=True, help="Who registers it: a role or an account.")
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
def register(ident: str, by: str, home: str | None) -> None:
    """Bring an app's row on the register up to its folder: a new version runs only after this.

    Apps that ship, and those in this site's own folder, enter as ideas by themselves. A version that a comparison
    found worse, for everyone or for a group, is refused (careplane quality compare).

    \b
    Example:
      careplane app register my_idea --by "Platform engineer"
    """
    platform = open_platform(read_settings(home=home) if home else read_settings())
    app = platform.app(ident)
    tier = governance.tier(app.spec.tier).tier
    item = alignment.swap_in(platform.store, platform.ledger, app, tier, platform.clock(), by)
    click.echo(f"{item.title} is on the register: stage {item.stage}, tier {item.tier}, version {app.spec.version}.")
    platform.close()


@click.command()
@click.argument("ident", metavar="ID")
@click.argument("stage", type=click.Choice(get_args(Stage)))
@click.option("--by", required=True, help="Who decided it.")
@click.option("--why", required=True, help="The reason, kept with the move.")
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
def move(ident: str, stage: Stage, by: str, why: str, home: str | None) -> None:
    """Move an app (or anything else on the register) to the next stage, with who and why.

    \b
    Example:
      careplane app move my_idea intake --by "Product owner" --why "Asked for"
    """
    platform = open_platform(read_settings(home=home) if home else read_settings())
    held = alignment.load_item(platform.store, ident)
    alignment.hold_scale(platform.store, held, stage, platform.clock().date())
    item = alignment.move_stage(platform.store, platform.ledger, held, stage, platform.clock(), by, why)
    click.echo(f"{item.title} went from {held.stage} to {item.stage}.")
    platform.close()
