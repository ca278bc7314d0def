"""What mails say, in the languages of the pages: that there is news, and where to sign in.

No text has a place for anything of a record, a person or an organisation: a mail lies open to
whoever carries it (docs/decisions/0068-mail.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CODE: Final = "code"
NEWS: Final = "news"
ALARM: Final = "alarm"
CHANGED: Final = "changed"
ERASED: Final = "erased"
SIGN_IN: Final = "sign-in"

_WHY: Final = {
    "en": "This mail says no more on purpose: others may read it on its way.\n",
    "fr": "Ce message n’en dit volontairement pas plus : d’autres peuvent le lire en chemin.\n",
}
_STOP: Final = {
    "en": "You gave this address to your account. To get no more mails: {stop}\n",
    "fr": "Vous avez donné cette adresse à votre compte. Pour ne plus recevoir de messages :"
    " {stop}\n",
}

WORDS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "en": {
        CODE: (
            "The code that you asked for",
            "Hello,\n\nyour code is {code}. Type it where you gave this address:\n"
            "{place}/account/mail/code\n\nIt is good for one hour. If you gave nobody this address,"
            " do nothing: without the code no more mails come.\n",
        ),
        NEWS: (
            "Something is new",
            "Hello,\n\nsomething is new for you. Sign in to see it:\n{place}/home\n\n"
            + _WHY["en"]
            + _STOP["en"],
        ),
        ALARM: (
            "Please look soon",
            "Hello,\n\nsomething happened that you may want to stop. Sign in soon:\n"
            "{place}/home\n\n" + _WHY["en"] + _STOP["en"],
        ),
        CHANGED: (
            "This address is not used any more",
            "Hello,\n\nmails about your account do not come to this address any more. If that was"
            " not you, sign in and change your passphrase:\n{place}/account\n",
        ),
        SIGN_IN: (
            "How you sign in was changed",
            "Hello,\n\na passphrase, passkey or one-time code of your account was changed. If that"
            " was not you, sign in and look, or begin here if you can't:\n{place}/lost\n",
        ),
        ERASED: (
            "The last mail",
            "Hello,\n\nwhat you asked for is being done, and this address is forgotten with it."
            " This is the last mail. If you asked for nothing, look here:\n{place}/home\n",
        ),
    },
    "fr": {
        CODE: (
            "Le code que vous avez demandé",
            "Bonjour,\n\nvotre code est {code}. Saisissez-le là où vous avez donné cette adresse :"
            "\n{place}/account/mail/code\n\nIl est valable une heure. Si vous n’avez donné cette"
            " adresse à personne, ne faites rien : sans le code, aucun autre message ne viendra.\n",
        ),
        NEWS: (
            "Il y a du nouveau",
            "Bonjour,\n\nil y a du nouveau pour vous. Connectez-vous pour le voir :\n"
            "{place}/home\n\n" + _WHY["fr"] + _STOP["fr"],
        ),
        ALARM: (
            "Merci de regarder bientôt",
            "Bonjour,\n\nil s’est passé quelque chose que vous voudrez peut-être arrêter."
            " Connectez-vous bientôt :\n{place}/home\n\n" + _WHY["fr"] + _STOP["fr"],
        ),
        CHANGED: (
            "Cette adresse n’est plus utilisée",
            "Bonjour,\n\nles messages concernant votre compte ne viennent plus à cette adresse. Si"
            " ce n’était pas vous, connectez-vous et changez votre phrase secrète :\n"
            "{place}/account\n",
        ),
        SIGN_IN: (
            "Votre façon de vous connecter a changé",
            "Bonjour,\n\nune phrase secrète, une clé d’accès ou un code à usage unique de votre"
            " compte a été changé. Si ce n’était pas vous, connectez-vous et regardez, ou commencez"
            " ici si vous ne le pouvez plus :\n{place}/lost\n",
        ),
        ERASED: (
            "Le dernier message",
            "Bonjour,\n\nce que vous avez demandé est en cours, et cette adresse est oubliée en"
            " même temps. C’est le dernier message. Si vous n’avez rien demandé, regardez ici :\n"
            "{place}/home\n",
        ),
    },
}
"""Subject and text by language and kind of mail."""


def written(kind: str, language: str, *, place: str, code: str = "", stop: str = "") -> str:
    """A mail's text."""
    return WORDS[language][kind][1].format(place=place, code=code, stop=stop)


def subject(kind: str, language: str) -> str:
    """A mail's subject."""
    return WORDS[language][kind][0]
