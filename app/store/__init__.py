"""The store: the only room that speaks SQL, and the only one that commits."""
