"""The meaning of a right, as synchronous standard-library Python (SEMANTICS.md). Everybody may import it; it imports
nothing of ours outside itself.

A right is a value of a permission, out of the lattice that the permission declares. Roles, teams and users are holders:

    value(h) = own limits of h  applied to  closure( own grants of h  join  value of everything h includes )

and a person's effective rights follow from their value in six steps, stated in `rights`. A change of rights is judged
by difference, in `changes`: it may not newly break a requirement that a manual states.

    values        the lattices          requirements  what a right needs       catalog   which rights there are
    holders       people and rows       world         all that is known now    compiled  the same as bits
    rights        the one decision      decisions     a check, whole           fixes     smallest sets of changes
    explanation   why, and what would change it       changes       what a write would do
    violations    what it would newly break           warnings      what it does that is worth saying
"""
