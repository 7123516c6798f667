"""`python -m app` is `image-gateway`."""

from app.cli import app

app()
