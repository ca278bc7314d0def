"""Poseidon on published vectors, and the circuits' constants from the same derivation."""

from __future__ import annotations

import pytest
from tools import write_poseidon_constants

from simdes.proofs.poseidon import FIELD, PARTIAL_ROUNDS, parameters, poseidon

# https://github.com/iden3/circomlibjs, test/poseidon.js; and the reference of the paper's authors
# for (1, 2) (https://extgit.isec.tugraz.at/krypto/hadeshash).
PUBLISHED = {
    (1,): 18586133768512220936620570745912940619677854269274689475585506675881198879027,
    (1, 2): 0x115CC0F5E7D690413DF64C6B9662E9CF2A3617F2743245519E19607A4417189A,
    (1, 2, 3, 4): 0x299C867DB6C1FDD79DCEFA40E4510B9837E60EBB1CE0663DBAA525DF65250465,
    (1, 2, 0, 0, 0): 1018317224307729531995786483840663576608797660851238720571059489595066344487,
    (3, 4, 0, 0, 0): 5811595552068139067952687508729883632420015185677766880877743348592482390548,
    (1, 2, 0, 0, 0, 0): (
        15336558801450556532856248569924170992202208561737609669134139141992924267169
    ),
    (3, 4, 0, 0, 0, 0): (
        12263118664590987767234828103155242843640892839966517009184493198782366909018
    ),
    (1, 2, 3, 4, 5, 6): (
        20400040500897583745843009878988256314335038853985262692600694741116813247201
    ),
}


@pytest.mark.parametrize("inputs", PUBLISHED, ids=str)
def test_it_hashes_as_published(inputs: tuple[int, ...]) -> None:
    assert poseidon(*inputs) == PUBLISHED[inputs]


@pytest.mark.parametrize("inputs", [(), (0,) * 7, (-1,), (FIELD,), (1, FIELD + 1)], ids=str)
def test_what_is_no_element_is_refused(inputs: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Poseidon takes|no element"):
        poseidon(*inputs)


@pytest.mark.parametrize("width", PARTIAL_ROUNDS)
def test_every_square_of_the_matrix_mixes(width: int) -> None:
    """A Cauchy matrix is maximum distance separable: no entry and no minor of 2 is zero."""
    _, matrix = parameters(width)
    for i in range(width):
        for j in range(width):
            assert matrix[i][j]
            for k in range(i):
                for m in range(j):
                    minor = matrix[i][j] * matrix[k][m] - matrix[i][m] * matrix[k][j]
                    assert minor % FIELD


def test_the_circuits_constants_are_these() -> None:
    assert write_poseidon_constants.TARGET.read_text("utf-8") == write_poseidon_constants.text()
