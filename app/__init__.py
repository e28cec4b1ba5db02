"""Permgate, a GraphQL permission gateway for contact-centre platforms."""
