from tracklane_server.service.names import ADJECTIVES, MOST_CHARACTERS, NOUNS, random_run_name


def test_names_are_short_and_shaped():
    assert max(map(len, ADJECTIVES)) + max(map(len, NOUNS)) + len("--999") <= MOST_CHARACTERS
    for _ in range(100):
        adjective, noun, number = random_run_name().split("-")
        assert adjective in ADJECTIVES
        assert noun in NOUNS
        assert 0 <= int(number) < 1000
