"""Subscriptions: R4's own and those of the R5 backport, told under their owner's present rights.

https://hl7.org/fhir/R4/subscription.html, https://hl7.org/fhir/uv/subscriptions-backport/.

- `wanted`: what a Subscription asks for, or why it can't be had
- `registering`: kept with the resource, in the transaction that writes it
- `owners`: whoever asked for it, without their being there: their rights as they are now
- `matching`: from what happened to the events that a subscription is told of
- `notices`: notification Bundles and statuses
- `hooks`: the port through which notifications leave
- `telling`: the worker's part: handshakes, notifications, heartbeats, retries, the end
- `asking`: ``$status``, ``$events``, binding tokens for websockets
"""
