"""`image-gateway` with the planted bug that CHAOS_PLANT names, which the verdict must find."""

import os

import pytest

from app.cli import app
from tests.harness.plants import PLANTS

# At module level, because each worker process of `serve --workers` imports this module.
PLANTS[os.environ["CHAOS_PLANT"]](pytest.MonkeyPatch())

if __name__ == "__main__":
    app()
