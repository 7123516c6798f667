"""Measures whether the cost of a list depends only on its own rows, not on the size of the table."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from app.model import Role
from tests.bench import seed, servers
from tests.bench.load import Load
from tests.bench.queries import LIST
from tests.bench.seed import Sizes, World
from tests.bench.servers import LOAD_CORE, Running
from tests.bench.workloads import BenchRequest, Tokens, reading
from tests.harness.kernel import pin_to_core

SIZES = Sizes(heavy=20, own_images=120)
ROWS = (5, 20, 80)
VIEWERS = {"a tenant": Role.ADMIN, "an operator": Role.OPERATOR}
GROWN_BAR = 1.5
# Images of other tenants, older than the world's, so that both files have the same newest images.
FILLING = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count),
  filler (n, id, made) AS (SELECT n, printf('%08x-0000-4000-8000-%012x', n * 2654435761 % 4294967296, n),
    strftime('%Y-%m-%dT%H:%M:%S', 1700000000 - n * 60, 'unixepoch') || '.000000Z' FROM numbers)
"""
IMAGES = f"""INSERT INTO image {FILLING} SELECT id, printf('%d', 500000 + n % 20000), 'filler ' || n, 'IMPORT', NULL,
  'https://images.example.org/filler.img', 'ACTIVE', 'SHARED', n, 20, 2048, 'LINUX', NULL, '[]', 0, 0, made, made
  FROM filler"""
MEMBERS = f"""INSERT INTO member {FILLING} SELECT printf('%08x-0000-4000-9000-%012x', n * 2654435761 % 4294967296, n),
  id, printf('%d', 600000 + n % 30000), 'ACCEPTED', made, made FROM filler"""
Case = tuple[str, int]
Spent = dict[Case, float]


async def grow(images: int, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    """Measure the same lists on a small file and on a large one, in turn."""
    world = seed.world(SIZES)
    with TemporaryDirectory(prefix="gateway-bench-") as name, pin_to_core(LOAD_CORE), ExitStack() as started:
        small, large = Path(name) / "small", Path(name) / "large"
        small.mkdir()
        await seed.write_sqlite(small / "gateway.db", world)
        shutil.copytree(small, large)
        _fill(large / "gateway.db", images - len(world.images))
        running = [started.enter_context(servers.run_gateway(folder)) for folder in (small, large)]
        found = [dict[Case, float](), dict[Case, float]()]
        for viewer, role in VIEWERS.items():
            for rows in ROWS:
                least = await _least_cpu(running, _requests(world, role, rows), rounds, seconds)
                for spent, one in zip(found, least, strict=True):
                    spent[viewer, rows] = one
    for line in _table(len(world.images), images, *found):
        say(line)


def _fill(file: Path, count: int) -> None:
    connection = sqlite3.connect(file)
    for pragma in ("synchronous = OFF", "cache_size = -500000"):
        connection.execute(f"PRAGMA {pragma}")
    with connection:
        for statement in (IMAGES, MEMBERS):
            connection.execute(statement, {"count": count})
    connection.execute("ANALYZE")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _requests(world: World, role: Role, rows: int) -> list[BenchRequest]:
    tokens = Tokens()
    return [BenchRequest(tokens.of(tenant, role), LIST, {"first": rows, "inner": 5}) for tenant in world.heavy]


async def _least_cpu(running: list[Running], asks: list[BenchRequest], rounds: int, seconds: float) -> list[float]:
    """The least CPU time of a request on each server, in microseconds."""
    source, found = reading(asks), [float("inf") for _ in running]
    loads = [Load(server.port, lambda number: source(number, lambda ask: ask)) for server in running]
    for turn in range(rounds + 1):
        for place, (load, server) in enumerate(zip(loads, running, strict=True)):
            done = await load.run(seconds, server.cpu)
            # The first turn warms up.
            if turn:
                found[place] = min(found[place], done.microseconds)
    return found


def _table(small: int, large: int, of_small: Spent, of_large: Spent) -> Iterator[str]:
    yield "CPU us of a list, the least of the rounds"
    yield f"{'':12}  {'rows':>5}  {f'{small:,} images':>16}  {f'{large:,} images':>16}  ratio"
    for (viewer, rows), one in of_small.items():
        other = of_large[viewer, rows]
        verdict = "held" if other <= GROWN_BAR * one else "NOT held"
        words = f"{other / one:.2f}, at most {GROWN_BAR:g}: {verdict}"
        yield f"{viewer:12}  {rows:5}  {one:16.0f}  {other:16.0f}  {words}"
    few, many = ROWS[1], ROWS[2]
    for size, spent in ((small, of_small), (large, of_large)):
        for viewer in VIEWERS:
            ratio = spent[viewer, many] / spent[viewer, few]
            verdict = "held" if ratio <= many / few else "NOT held"
            words = f"{ratio:.2f} times {few}, at most {many / few:g}: {verdict}"
            yield f"{viewer}, {size:,} images: {many} rows cost {words}"
