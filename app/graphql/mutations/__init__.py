"""The mutation fields, one module a noun. Each reads its input, calls one service and shows what came of it."""
