"""Units in base units: values of UCUM's own tables, and what can't be converted."""

from __future__ import annotations

from decimal import Decimal

import pytest

from simdes.fhir.units import CanonicalUnit, canonical_unit


@pytest.mark.parametrize(
    ("unit", "factor", "code"),
    [
        *(("mg", 0.001, "g"), ("kg", 1000, "g"), ("ug", 1e-6, "g"), ("[lb_av]", 453.59237, "g")),
        *(("mg/dL", 10, "g.m-3"), ("g/L", 1000, "g.m-3"), ("ng/mL", 0.001, "g.m-3")),
        *(("mmol/L", 1, "m-3.mol"), ("meq/L", 1, "m-3.mol"), ("mm[Hg]", 133322, "g.m-1.s-2")),
        *(("kPa", 1e6, "g.m-1.s-2"), ("N", 1000, "g.m.s-2"), ("cm", 0.01, "m")),
        *(("[in_i]", 0.0254, "m"), ("m2", 1, "m2"), ("m-1", 1, "m-1"), ("/min", 1 / 60, "s-1")),
        *(("10*3/uL", 1e12, "m-3"), ("10^-2", 0.01, "1"), ("10*", 10, "1"), ("%", 0.01, "1")),
        *(("wk", 604_800, "s"), ("a", 31_557_600, "s"), ("kg/m2", 1000, "g.m-2")),
        *(("g/(24.h)", 1 / 86_400, "g.s-1"), ("g/(m/s)", 1, "g.m-1.s"), ("m/s/s", 1, "m.s-2")),
        *(("{score}", 1, "1"), ("mg{creat}", 0.001, "g"), ("1", 1, "1"), ("24.h", 86_400, "s")),
        *(("[iU]", 1, "[iU]"), ("[IU]", 1, "[iU]"), ("m[iU]/mL", 1000, "[iU].m-3")),
        *(("U/L", 1 / 60_000, "m-3.mol.s-1"), ("mo", 2_629_800, "s")),
    ],
)
def test_units_in_base_units(unit: str, factor: float, code: str) -> None:
    found = canonical_unit(unit)
    assert found is not None
    assert found.code == code
    assert found.convert(1) == pytest.approx(factor, rel=1e-11)


def test_temperatures_have_an_offset() -> None:
    celsius, fahrenheit = canonical_unit("Cel"), canonical_unit("[degF]")
    assert celsius == CanonicalUnit("K", 1.0, 273.15)
    assert fahrenheit is not None
    assert celsius.convert(Decimal("37.0")) == fahrenheit.convert(Decimal("98.6")) == 310.15


@pytest.mark.parametrize(
    "unit", ["", "nonsense", "[pH]", "B", "Cel/s", "mg/", "m" * 300, "10*99999", "m99999", "(m/s)2"]
)
def test_what_no_factor_converts_is_not_known(unit: str) -> None:
    assert canonical_unit(unit) is None


def test_equal_amounts_are_equal_in_base_units() -> None:
    for first, second in [(("5.4", "mg"), ("5400", "ug")), (("0.1", "L"), ("100", "mL"))]:
        units = [canonical_unit(unit) for _, unit in (first, second)]
        amounts = [Decimal(amount) for amount, _ in (first, second)]
        assert units[0] is not None
        assert units[1] is not None
        assert units[0].convert(amounts[0]) == units[1].convert(amounts[1])
