"""Pages for people: sign-in, account, authorisation of apps; the base that portals stand on.

Forms and links that work without JavaScript (passkeys need it), POST-redirect-GET with a token in
every form, a strict Content-Security-Policy for each page, English and French. A page is a function
from `Asked` to `Shown` or `Moved`; `places` is the table of all of them.
"""
