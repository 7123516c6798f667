"""`image-gateway` with the planted bug that CHAOS_PLANT names, which the verdict must find."""

import os

import pytest

from app.cli import app
from tests.harness.planted_bugs import PLANTED_BUGS

# At module level, because each worker process of `serve --workers` imports this module.
PLANTED_BUGS[os.environ["CHAOS_PLANT"]](pytest.MonkeyPatch())

if __name__ == "__main__":
    app()
