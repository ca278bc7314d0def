"""Decision support for prescribers in their own system: CDS Hooks 2.0 (https://cds-hooks.hl7.org/2.0/).

The checks of `simdes.fhir.checks`, asked when an order is selected or signed.
"""
