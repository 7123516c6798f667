"""A person with openstacksdk, who changes members at random. It runs in the environment of the cloud.

sdk_person.py SEED STEPS CONSUMER=PROJECT,... IMAGE...
"""

import random
import sys
from typing import Any

# The SDK is not in the environment of the tests.
# Both are installed in the environment of the cloud, where this program runs.
import openstack  # pyright: ignore[reportMissingImports]  # see above
from openstack.exceptions import HttpException  # pyright: ignore[reportMissingImports]  # see above

STATUSES = ("accepted", "rejected", "pending")


def main(seed: str, steps: str, consumers: str, *images: str) -> None:
    random.seed(int(seed))
    projects = dict(one.split("=") for one in consumers.split(","))
    people: dict[str, Any] = {name: openstack.connect(cloud=name).image for name in ("producer", *projects)}
    for _ in range(int(steps)):
        image, name = random.choice(images), random.choice(list(projects))
        try:
            match random.choice(("offer", "offer", "revoke", "answer", "answer", "answer")):
                case "offer":
                    people["producer"].add_member(image, member_id=projects[name])
                case "revoke":
                    people["producer"].remove_member(projects[name], image)
                case _:
                    people[name].update_member(projects[name], image, status=random.choice(STATUSES))
        except HttpException:  # refused, as it comes
            continue


main(*sys.argv[1:])
