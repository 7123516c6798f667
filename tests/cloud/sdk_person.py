"""A person with openstacksdk, who changes members at random. It runs in the environment of the cloud.

sdk_person.py SEED CONSUMER=PROJECT,...

For each line of the input, which is an image, it takes one step with that image, and prints a line when it is done.
"""

import random
import sys
from contextlib import suppress
from typing import Any

# Both are installed in the environment of the cloud, where this program runs.
import openstack  # pyright: ignore[reportMissingImports]  # see above
from openstack.exceptions import HttpException  # pyright: ignore[reportMissingImports]  # see above

STATUSES = ("accepted", "rejected", "pending")


def main(seed: str, consumers: str) -> None:
    random.seed(int(seed))
    projects = dict(one.split("=") for one in consumers.split(","))
    people: dict[str, Any] = {name: openstack.connect(cloud=name).image for name in ("producer", *projects)}
    for line in sys.stdin:
        with suppress(HttpException):  # refused, as it comes
            take_step(people, projects, line.strip())
        print("done", flush=True)


def take_step(people: dict[str, Any], projects: dict[str, str], image: str) -> None:
    name = random.choice(list(projects))
    match random.choice(("offer", "offer", "revoke", "answer", "answer", "answer")):
        case "offer":
            people["producer"].add_member(image, member_id=projects[name])
        case "revoke":
            people["producer"].remove_member(projects[name], image)
        case _:
            people[name].update_member(projects[name], image, status=random.choice(STATUSES))


main(*sys.argv[1:])
