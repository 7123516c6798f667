"""`image-gateway` with a bug planted, named by CHAOS_PLANT: the verdict must find it."""

import os

import pytest

from app.cli import app
from tests.harness.plants import PLANTS

# Here and not below: each worker process of `serve --workers` imports this module anew.
PLANTS[os.environ["CHAOS_PLANT"]](pytest.MonkeyPatch())

if __name__ == "__main__":
    app()
