"""The only place that builds statements: one module a noun, each over one connection and one moment of knowledge."""
