"""The HTTP door: addresses, authentication, the GraphQL-over-HTTP protocol. `main` puts it together."""
