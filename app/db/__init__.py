"""Rows and statements. Services import it; nothing above them does. What leaves it are frozen records of the domain."""
