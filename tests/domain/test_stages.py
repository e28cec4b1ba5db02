"""Keys of what is left of a permission after each step: what has one key has one value, one grant and one state.

By default 100 random worlds, `-m deep` 1,000; everybody of each, in all its contracts, at all moments.
"""

from typing import Any

from app.domain.compiled import compile_catalog
from app.domain.rights import Evaluation, Subject, list_rights
from app.domain.stages import Stages
from tests.domain.test_laws import on_random_worlds
from tests.worlds import INSTANTS, Case


@on_random_worlds(1000)
def test_what_has_one_key_is_told_in_the_same_words(case: Case) -> None:
    program = compile_catalog(case.catalog)
    stages, told = Stages(program), dict[Any, Any]()
    assert [program.catalog.permissions[number].key for number in stages.numbers] == [
        key for key in program.catalog.nodes if key in program.catalog.number_of
    ]
    for contract in (None, *case.world.contracts):
        for at in INSTANTS:
            evaluation = Evaluation(program, case.world, contract=contract, at=at)
            for user in case.world.users:
                effective = evaluation.effective(Subject(user=user))
                rights = list_rights(evaluation, effective)
                for number, key in zip(stages.numbers, stages.find(effective), strict=True):
                    _, value, granted, verdict = rights[number]
                    said = (value, granted, verdict)
                    assert told.setdefault((number, key), said) == said
