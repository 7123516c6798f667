"""The committed log, followed: the feed, its ring, cursors, and retention."""
