"""Names for runs that nobody named: `adjective-noun-N`, at most 20 characters, easy to say and to tell apart."""

import random

MOST_CHARACTERS = 20

ADJECTIVES = (
    "able agile amber ample aqua bold brave brief bright brisk calm candid casual chic civil clear clever cool coral "
    "cosy crisp curious dapper daring deft dreamy eager early easy fair fancy fast fine fleet fluent fond frank free "
    "fresh gentle glad golden grand green handy happy hardy honest humble ivory jolly keen kind large lemon level "
    "light likely little lively loyal lucid lucky lunar magic merry mild mint misty modest neat nimble noble olive "
    "open orange patient placid plucky polite prime proud pure quick quiet rapid rare ready royal rosy ruby sandy "
    "serene sharp shiny silent silver simple sleek smart snowy solid spicy steady still sunny sure swift tidy topaz "
    "true upbeat vivid warm white wild wise witty young zesty"
).split()

NOUNS = (
    "acorn alder anchor apple arch ash atlas aurora badger basil bay beacon bear beech berry birch bison bloom brook "
    "cedar cliff clover cloud comet crane creek crow daisy dawn deer delta dove dune eagle elk elm ember fern field "
    "finch fjord flame flint forest fox frog garden gecko glade grove gull harbor hare hawk hazel heron hill holly "
    "ibis iris island ivy jay kelp kite koala lagoon lake lark leaf lily lion lotus lynx maple marten meadow mole "
    "moon moss newt oak orca orchid otter owl panda peach pearl pebble pine plover pond poppy quail rain raven reef "
    "ridge river robin rose sage seal shore sky snail spruce star stone stork storm swan tiger trout tulip vale wave "
    "whale willow wind wolf wren yak zebra"
).split()


def random_run_name(chance: random.Random | None = None) -> str:
    chance = chance or random.Random()
    name = f"{chance.choice(ADJECTIVES)}-{chance.choice(NOUNS)}-{chance.randrange(1000)}"
    assert len(name) <= MOST_CHARACTERS
    return name
