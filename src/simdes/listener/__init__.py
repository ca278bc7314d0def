"""The listener: HL7 v2 over MLLP in, acknowledgments out (paper: hospitals' existing interfaces).

- `frame`: a connection's bytes become frames
- `limits`: how much, how long, how many
- `session`: one connection: frames in, acknowledgments out, in their order
- `intake`: frames of all connections become durable in groups
- `server`: accepting, TLS, and a graceful end

HL7 MLLP releases 1 and 2, https://www.hl7.org/implement/standards/product_brief.cfm?product_id=55.
Nothing here reads a message: `simdes.exchange.feeds` maps, submits and writes the answers.
"""
