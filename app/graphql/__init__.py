"""The GraphQL door: types, queries and mutations over services. A resolver converts, calls one service, converts back.

The web package serves it. It sees neither tables nor statements.
"""
