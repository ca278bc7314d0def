"""How HL7's sheets, our overlay and a site's sheets write rows: conditions, assignments, targets.

`conditions` and `rows` read that notation into what `simdes.mapper.hl7v2.rules` runs; used when the
maps are compiled, and when a site's sheets change them.
"""
