"""The authorization server over HTTP: SMART App Launch 2, OAuth 2.1 and OpenID Connect.

http://hl7.org/fhir/smart-app-launch/. HTTP in, HTTP out: every decision is `simdes.exchange`'s.
"""
