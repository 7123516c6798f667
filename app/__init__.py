"""Image sharing between cloud tenants. app/README.md has the map, the path of a request and the decisions."""
