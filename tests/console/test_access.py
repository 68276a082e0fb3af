"""What is signed with the installation's key is for one daemon and what was said; nothing is made for a stranger."""

import os

import pytest

from atoll.console.access import KEY_BYTES, KEY_FILE, Door, Listener, is_proof, key_of, link, proof, read_key

KEY, HERE, WORDS = b"k" * KEY_BYTES, Listener(4566, "c"), ("create", "111122223333", "us-east-1", "ci")
OTHERS = [Listener(4567, "c"), Listener(4566, "d")]  # another port; the next daemon at the same


def paid(url, key, challenge):
    return link(url, key, challenge).partition("=")[2]


def test_a_proof_is_good_for_its_words_at_its_daemon():
    assert is_proof(KEY, HERE, WORDS, proof(KEY, HERE, WORDS))


@pytest.mark.parametrize("listener", OTHERS)
def test_a_proof_that_somebody_else_was_shown_is_no_good_at_a_daemon(listener):
    assert not is_proof(KEY, HERE, WORDS, proof(KEY, listener, WORDS))


def test_a_proof_is_no_good_for_other_words():
    assert not is_proof(KEY, HERE, ("create", "444455556666", "us-east-1", "ci"), proof(KEY, HERE, WORDS))


def test_what_no_text_can_be_is_no_proof_and_no_token():
    good = proof(KEY, HERE, WORDS)

    assert not is_proof(KEY, HERE, WORDS, good + "\ud800")
    assert not is_proof(KEY, HERE, WORDS, "\ud800" + good)
    assert not Door(KEY, HERE).is_form_token("session", "\ud800")


def test_a_ticket_is_good_at_its_daemon_only():
    door = Door(KEY, HERE)

    assert door.enter(paid("http://127.0.0.1:4567", KEY, "c")) is None
    assert door.enter(paid("http://127.0.0.1:4566", KEY, "d")) is None
    assert door.enter(paid("http://127.0.0.1:4566", KEY, "c"))


def test_a_key_is_read_where_somebody_says_and_never_made_or_mended(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_key(tmp_path)
    assert os.listdir(tmp_path) == []

    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(OSError, match="it is no key"):
        read_key(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == b"short"

    made = key_of(tmp_path)  # the daemon's own: it mends it
    assert read_key(tmp_path) == made


def test_a_key_that_is_a_pipe_or_another_file_is_none(tmp_path):
    os.mkfifo(tmp_path / KEY_FILE)
    with pytest.raises(OSError, match="it is no key"):
        read_key(tmp_path)

    (tmp_path / KEY_FILE).unlink()
    (tmp_path / KEY_FILE).symlink_to("/dev/zero")
    with pytest.raises(OSError, match="symbolic"):
        read_key(tmp_path)
