"""The form of requests and responses: parameters, JSON, errors, and the headers of CORS."""
