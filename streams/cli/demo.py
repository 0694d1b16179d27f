"""`sluice demo`: two fake shops of one merchant, every role, faults, kills, and the oracle's verdict."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from streams.stack import Endpoints
from streams.stack.errors import StackError
from streams.testing.board import Board, verdict_table
from streams.testing.broker import BrokerChoiceError, endpoints
from streams.testing.load import Load
from streams.testing.merchant import BACK_OFFICE, SHOP, Merchant, Scale
from streams.testing.verdict import Verdict

FOLDER = Path(".sluice/demo")
RATE = 12.0  # edits per second
KILLS = ((0.40, "resolver-0"), (0.60, "courier-shopify"), (0.75, "courier-prestashop"))
PATIENCE = 60.0  # seconds until both shops must agree with the truth


@click.command()
@click.option("--seconds", default=40.0, show_default=True, help="How long people edit in the two shops.")
@click.option("--skus", default=200, show_default=True, help="SKUs that both shops sell.")
@click.option("--seed", default=1, show_default=True, help="Seed of edits and faults.")
@click.option("--keep", is_flag=True, help="Leave everything running afterwards and print the addresses.")
def demo(seconds: float, skus: int, seed: int, keep: bool) -> None:
    """The whole path on a real Kafka: a fake Shopify and a fake PrestaShop shop of one merchant sell the same SKUs.

    People edit prices and stock in both. Webhooks are signed, 10 % come twice, 20 % out of order, some late; a
    resolver and both couriers are killed with -9. In the end the oracle says whether anything was lost and whether
    both shops and `state` hold the truth. Exit 1 when any check fails.
    """
    console = Console()
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        with endpoints() as where:
            passed = _run(console, where, Scale(skus=skus, seed=seed), seconds, keep)
    except (StackError, BrokerChoiceError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    console.print(f"{'[green]passed' if passed else '[red]FAILED'}[/] in {time.monotonic() - began:.0f} s")
    sys.exit(not passed)


def _run(console: Console, where: Endpoints, scale: Scale, seconds: float, keep: bool) -> bool:
    merchant = Merchant(FOLDER.resolve(), where, scale, f"demo{int(time.time())}.", console.log)
    with _stopped_at_the_end(merchant):
        merchant.start()
        start = {name: merchant.state(name) for name in (SHOP, BACK_OFFICE)}
        verdict = Verdict(merchant, start)
        board = Board(merchant, verdict)
        with Live(board.render(), console=console, refresh_per_second=4) as live:
            _edit_and_kill(merchant, board, live, seconds)
            board.phase = "people stopped; waiting until everybody holds the truth"
            verdict.settle(PATIENCE, lambda: _turn(merchant, board, live))
            board.phase = "reading everything back"
            live.update(board.render())
        cpu = merchant.cpu_seconds()
        report = verdict.report()
        console.print(verdict_table(report, merchant, verdict.totals(), cpu))
        _explain(console, merchant)
        if keep:
            _keep(console, merchant)
        verdict.close()
        return report.passed


def _edit_and_kill(merchant: Merchant, board: Board, live: Live, seconds: float) -> None:
    load = Load(merchant, RATE, merchant.scale.seed)
    began, killed = time.monotonic(), set[str]()
    while (elapsed := time.monotonic() - began) < seconds:
        load.step()
        board.edits = load.edits
        board.phase = f"people edit in both shops ({elapsed:.0f} of {seconds:.0f} s)"
        for share, name in KILLS:
            if elapsed > share * seconds and name not in killed:
                killed.add(name)
                merchant.tree.kill(name)
                board.note(f"kill -9 {name}")
        _turn(merchant, board, live)


def _turn(merchant: Merchant, board: Board, live: Live) -> None:
    merchant.tree.watch()
    if board.due():
        live.update(board.render())
    time.sleep(0.02)


def _explain(console: Console, merchant: Merchant) -> None:
    """One entity explained, with the command a user would type."""
    key = f"acme|price|SKU-{7 % merchant.scale.skus}~default~EUR"
    console.print(f"\n[bold]$ sluice explain '{key}'")
    command = [sys.executable, "-m", "streams.cli.main", "explain", key, "--last", "3"]
    done = subprocess.run(command, env={**_environment(merchant)}, capture_output=True, text=True, check=False)
    console.print(done.stdout or done.stderr, highlight=False, markup=False)


def _environment(merchant: Merchant) -> dict[str, str]:
    return {**os.environ, **merchant.environment("demo"), "COLUMNS": "120"}


def _keep(console: Console, merchant: Merchant) -> None:
    merchant.resume()
    for name, url in merchant.urls.items():
        console.print(f"{name}: {url}")
    for name, value in sorted(merchant.environment("me").items()):
        console.print(f"export {name}={value}", highlight=False)
    console.print("running; Ctrl-C ends it")
    try:
        while True:
            merchant.tree.watch()
            time.sleep(0.2)
    except KeyboardInterrupt:
        console.print("stopping")


@contextmanager
def _stopped_at_the_end(merchant: Merchant) -> Iterator[None]:
    try:
        yield
    finally:
        merchant.stop()
