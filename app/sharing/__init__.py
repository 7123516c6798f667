"""The rules of sharing and the actions that apply them."""
