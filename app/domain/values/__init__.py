"""The lattices of values: what "more of a right" means (SEMANTICS section 2).

A right is not a boolean. Each permission declares a value type, and a value type knows its bottom (nothing), its top,
its order, how sources combine (`join`) and how a limit narrows (`meet`). A value never carries its type: two values of
one type compare, two of different types are a programming error and raise `TypeError`.

    switch    off < on
    level     ordered names, lowest first; the first is nothing
    scope     a partial order of names; a value is a down-set of them, printed by its maximal names
    quantity  unset < minimum .. maximum or unlimited; unset is not 0; a node may declare the descending order
    members   sets of names, empty .. all; may hold symbols that the node reserves

Text is a faithful form of every value: `parse(print(value)) == value`.

One module a lattice; everybody imports from here.
"""

from app.domain.values.inputs import ValueInput
from app.domain.values.levels import LevelType
from app.domain.values.members import MAX_MEMBER_LENGTH, MAX_MEMBERS, MembersType
from app.domain.values.quantities import MAX_AMOUNT, QuantityType
from app.domain.values.records import Level, Members, Quantity, Scope, Switch, Value
from app.domain.values.scopes import Reach, ScopeType, order_scopes
from app.domain.values.switches import SwitchType
from app.domain.values.value_type import ValueType, plain_name

__all__ = [
    "MAX_AMOUNT", "MAX_MEMBERS", "MAX_MEMBER_LENGTH", "Level", "LevelType", "Members", "MembersType", "Quantity",
    "QuantityType", "Reach", "Scope", "ScopeType", "Switch", "SwitchType", "Value", "ValueInput", "ValueType",
    "order_scopes", "plain_name",
]  # fmt: skip
