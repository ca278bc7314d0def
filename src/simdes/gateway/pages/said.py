"""What errors say to people on pages, marked for the catalogue.

The texts stand where they are raised, below this floor; a test finds them there and compares.
"""

from __future__ import annotations

from typing import Final

from simdes.gateway.pages.languages import mark as _

SAID: Final = (
    # Signing in
    _("User name or passphrase is wrong."),
    _("Check both and try again."),
    _("There were too many failed tries."),
    _("Wait a few seconds and try again."),
    _("Wait a minute and try again."),
    _("Wait five minutes and try again."),
    _("Wait a quarter of an hour and try again."),
    _("The code is wrong, or it was used before."),
    _("Wait for the next code, and try again."),
    _("The passphrase comes first."),
    _("The passphrase was given already; the second factor is what is missing."),
    _("You are not signed in, or your session ended."),
    _("Sign in again."),
    _("The account is not hosted here any more."),
    # Passkeys
    _("The passkey was not accepted."),
    _("The passkey is another person's."),
    _("The passkey's answer was used before."),
    _("The passkey's output has another length than it should."),
    _("This passkey is not accepted any more: its counter went back, as a copy's would."),
    _("Sign in another way, remove it, and make a new one."),
    _("The page was open for too long."),
    _("Load it again."),
    _("Browsers make no passkeys at this address."),
    _("Serve the gateway under a host name with TLS."),
    _("You have no such passkey."),
    _("There are as many passkeys as an account may have."),
    _("A passkey's name has 1 to 64 characters."),
    # Codes and passphrase
    _("Confirm first that it is you."),
    _("The code is wrong."),
    _("Check the clock of your device and use the next code."),
    _("There is no second factor yet."),
    _("Add a passkey or codes first."),
    _("The two are not the same."),
    _("Type the new passphrase twice."),
    _("A passphrase has at least 8 characters."),
    _("A passphrase has at most 1024 characters."),
    _("A passphrase is not the user name."),
    _("You are not signed in there any more."),
    # Accounts that may not act
    _("No account has this key."),
    _("Register the account, or sign with its present key."),
    _("The account is not verified yet."),
    _("An administrator of the organisation must verify it."),
    _("The account is suspended."),
    _("Ask an administrator of the organisation."),
    _("The account is frozen by its guardians."),
    _("Recover it to a new key."),
    _("The account's organisation is not verified."),
    _("The network's administrators must verify it."),
    # Apps
    _("This app asks for a second factor, and your account has none."),
    _("Add a passkey or one-time codes on your account page, and start the app again."),
    _("The app's request was answered already, or is too old."),
    _("Go back to the app and start again."),
    _("The app asks you to sign in again."),
    _("Only a person in their own session allows an app something."),
    _("Somebody else started this app."),
    _("Start the app yourself."),
    _("What is granted is not some of what the app asked for."),
    _("Choose whose records the app may see."),
    _("A patient allows apps their own records alone."),
    _("Only staff who treat or bill patients choose one for an app."),
    _("No such patient here."),
    _("You allow no such app anything."),
    # Portals
    _("This page is for people in another role."),
    _("Go on from your own start page."),
    _("No record is linked to your account yet."),
    _("Ask the organisation that registered you to link it."),
    # Forms and faults
    _("There is nothing like that."),
    _("There is nothing at this address."),
    _("Check the address."),
    _("A field is longer than it may be."),
    _("The form can't be read."),
    _("The form did not arrive in time."),
    _("The form is larger than this page takes."),
    _("Send this address an ordinary form."),
    _("This form was not sent from a page of ours, or the page was too old."),
    _("Load the page again and repeat what you did; cookies must be allowed."),
    _("The request failed here; it is not your mistake."),
    _("Try again; if it stays, tell the people who run this gateway."),
    # What the kinds of errors advise where nothing better is said
    _("Correct the input and send it again."),
    _("Ask the patient for consent, or use an account with the role this needs."),
    _("Check the identifier."),
    _("Read the present state and decide again."),
    _("Do not use this data; report the source named in the message."),
    _("Try again later; `simdes doctor` names the part that does not answer."),
    _("Send less at once."),
)
