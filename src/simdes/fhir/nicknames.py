"""Given names that one person goes by (English and French), for matching patients.

A group is a name and its short forms; a name may be in several groups. Written for this project.
"""

from __future__ import annotations

from collections.abc import Mapping

_GROUPS = """
abigail abby gail
alexander alex sandy xander alexandre
alexandra alex sandra sandy lexi
alfred alf fred
amanda mandy
andrew andy drew andre
anne ann anna annie nancy
anthony tony antoine
antoinette toni
barbara barb babs
beatrice bea trixie
benjamin ben benny
bernard bernie
catherine katherine kathryn cathy kathy kate katie cath cathryn kat katharine
charles charlie chuck chas
charlotte charlie lottie
christine christina chris tina christiane
christopher chris kit christophe
cynthia cindy
daniel dan danny
david dave davy
deborah debra deb debbie
donald don donnie
dominique dom
dorothy dot dottie
edward ed eddie ted ned edouard
eleanor ellie nell nora
elizabeth elisabeth liz lizzie beth betty eliza elsie libby lisa bess
emily emma em millie
eugene gene
florence flo
frances fran fanny
francis frank francois
franklin frank
frederick fred freddy freddie frederic
gabriel gabe
gabrielle gabby
geoffrey jeffrey geoff jeff
george georgie georges
gerald gerry jerry gerard
gregory greg
guillaume guy
harold harry hal
helen nell helene
henry harry hank henri
isabella isabelle bella izzy isabel
jacob jake
jacqueline jackie
james jim jimmy jamie jacques
janet jan
jean jeannot
jennifer jen jenny
jessica jess jessie
johanna joanna jo
john jack johnny jon
jonathan jon
joseph joe joey
josephine jo josie
joshua josh
judith judy
julia julie jules
kenneth ken kenny
kimberly kim
laurence laurent larry
lawrence larry laurie
leonard len lenny leo
louis lou louie lewis ludovic
louise lou
madeleine maddie madeline
margaret maggie meg peggy marge margie greta rita marguerite
maria marie mary molly polly
martha marty patty
martin marty
mathilde tilda
matthew matt matty mathieu matthieu
maximilian max maxime maximilien
michael mike mick mickey micky michel mitch
michelle shelly michele
monique mona
nathaniel nathan nate
nicholas nicolas nick nicky
nicole nicky nikki
oliver ollie olivier
olivia liv livvy
pamela pam
patricia pat patty tricia trish
patrick pat paddy
peter pete pierre
philip phillip phil philippe
rachel rae
raymond ray
rebecca becky becca
richard rick rich dick ricky
robert bob rob bobby robbie bert
roberta bobbie
roger rodge
ronald ron ronnie
samuel sam sammy
samantha sam
sarah sara sally sadie
sebastian seb sebastien
sophia sophie
stephanie steph
stephen steven steve stephane
susan sue susie suzanne suzy susanna
teresa theresa terry tess
terence terry
theodore ted teddy theo
thomas tom tommy
timothy tim
valerie val
veronica vera ronnie veronique
victor vic
victoria vicky tori
vincent vince
virginia ginny
walter walt wally
william bill will billy willy liam
zachary zach zack
"""


def _by_name() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _GROUPS.split("\n"):
        group = set(line.split())
        for name in group:
            found.setdefault(name, set()).update(group)
    return {name: frozenset(group) for name, group in found.items()}


NICKNAMES = _by_name()
"""Each name with all that may mean the same person."""
