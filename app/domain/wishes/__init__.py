"""From a request to the changes it asks for, one module a noun.

Shape and meaning are checked here, all faults at once. Every function takes the world as it is, what was asked, and a
stamp, and returns a `Wish` for `changes.judge`. A request that cannot be understood raises `Refused` with every fault
and its path. Who may ask is not looked at here.
"""
