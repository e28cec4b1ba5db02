"""The fields of `Subscription`, one module per noun: each follows one service, and shows what it tells."""
