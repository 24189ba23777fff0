"""What counts as a secret, and that nothing of it is left in what is shown or stored."""

from __future__ import annotations

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdexp import BadInput, config
from gdexp.config.env_secrets import check_secrets
from gdexp.core.learned_secrets import MASK, learn_secret
from gdexp.core.process import Process
from gdexp.core.redaction import mask_secrets, mask_source, mask_value
from gdexp.core.secret_finder import has_secret
from gdexp.core.secret_words import is_secret_key
from gdexp.runs.stored_config import stored_experiment
from tests.support.commands import composed
from tests.support.long_form import share

CANARY = "correct-horse-42"

NAMES = (
    *("password", "api_key", "apiKey", "API-KEY", "db.password", "PGPASSWORD", "MYSQL_PWD"),
    *("token", "hf_token", "TOKEN_2", "authToken", "Authorization", "client_secret", "cookie"),
    *("private_key", "aws_secret_access_key", "passphrase", "problem.arguments.credentials"),
)
HARMLESS = ("author", "tokens", "max_tokens", "monkey", "key", "keys", "optimizer.lr", "secretary")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_looks_like_a_secret_is_one_however_it_is_written(name: str) -> None:
    assert is_secret_key(name)
    assert mask_secrets(f"refused {name}={CANARY} there") == f"refused {name}={MASK} there"
    assert mask_secrets(f"  {name}: {CANARY}\n") == f"  {name}: {MASK}\n"
    assert mask_value(name, CANARY) == MASK


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_stay_readable(name: str) -> None:
    assert not is_secret_key(name)
    assert mask_secrets(f"{name}=0.5") == f"{name}=0.5"
    assert mask_source(f"{name} = 0.5") == f"{name} = 0.5"


SHOWN = [
    f"http://user:{CANARY}@host:5000/x",
    f"postgresql://{CANARY}@host/db",
    f"no server at https://u:{CANARY}@h: refused",
    f"http://host/?sig={CANARY}",
    f"postgresql+psycopg://h/db?password={CANARY}&sslmode=require",
    f"{{'api_key': '{CANARY}'}}",
    f'{{"password": "{CANARY}", "user": "me"}}',
    f"connect(password='{CANARY}', port=1)",
    f"a ghp_{CANARY}{CANARY} b",
]


@pytest.mark.parametrize("text", SHOWN)
def test_what_a_message_quotes_is_hidden(text: str) -> None:
    assert CANARY not in mask_secrets(text)
    assert MASK in mask_secrets(text)
    assert mask_secrets(mask_secrets(text)) == mask_secrets(text)


SOURCES = [
    f'+password = "{CANARY}"',
    f"+DB_PASS={CANARY}  # of the test server",
    f"export PGPASSWORD={CANARY}",
    f'    "api-key": "{CANARY}",',
    f'password = (\n    "{CANARY}"\n)',
    f"+password: >\n+  {CANARY}",
    f"secret: |\n  {CANARY}",
    f"access_token=\\\n'{CANARY}'",
    f'TOKEN = """\n{CANARY}\n"""',
    f"headers = {{'Authorization': 'Basic {CANARY}'}}",
    f"engine = create_engine('postgresql://u:{CANARY}@h/db')",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
]


@pytest.mark.parametrize("text", SOURCES)
def test_a_source_is_stored_without_what_it_says_of_secrets(text: str) -> None:
    assert CANARY not in mask_source(text)
    assert MASK in mask_source(text)


def test_what_no_person_would_write_is_taken_for_a_key_and_a_long_word_is_not() -> None:
    assert mask_source("x = 'Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIz'") == f"x = '{MASK}'"
    assert mask_source("f" * 40 + "0") == MASK
    for word in ("a_long_name_of_a_function_that_says_what_it_does", "x" * 40, "=" * 40):
        assert mask_source(word) == word


def test_what_a_command_has_learnt_is_hidden_until_its_end_in_every_form() -> None:
    with Process().current(
        [f"tracking.uri=http://me:{CANARY}%40x@host", "+problem.token='opensesame'"]
    ):
        for form in (f"{CANARY}%40x", f"{CANARY}@x", "opensesame"):
            assert mask_secrets(f"it said {form}.") == f"it said {MASK}."
        learn_secret("another-one")
        with Process().current():
            assert mask_secrets("another-one") == "another-one"
        assert mask_secrets("another-one") == MASK
    assert mask_secrets("it said opensesame") == "it said opensesame"


def test_short_and_plain_words_are_never_learnt() -> None:
    with Process().current(["+token=abc", "+secret=null", "password=0.001"]):
        assert mask_secrets("abc null 0.001") == "abc null 0.001"


def test_variables_whose_names_look_like_secrets_are_hidden_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_API_TOKEN", CANARY)
    monkeypatch.setenv("MY_CITY", "Reykjavik")
    with Process().current():
        assert (
            mask_secrets(f"login with {CANARY} from Reykjavik")
            == f"login with {MASK} from Reykjavik"
        )


def test_what_any_library_logs_meanwhile_is_hidden(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("somebody.else")
    with Process().current([f"tracking.uri=http://me:{CANARY}@host"]):
        log.error("trying %s with %d", f"http://me:{CANARY}@host", 3)
        try:
            raise ValueError(f"bad {CANARY}")
        except ValueError:
            log.exception("100% refused")
    assert CANARY not in caplog.text
    assert f"trying http://{MASK}@host with 3" in caplog.text
    assert f"ValueError: bad {MASK}" in caplog.text
    assert "100% refused" in caplog.text
    log.error("later %s", CANARY)
    assert CANARY in caplog.text


@pytest.mark.parametrize(
    ("given_", "key"),
    [
        ({"problem": {"arguments": {"api_key": CANARY}}}, "problem.arguments.api_key"),
        ({"problem": {"arguments": {"token": 12345}}}, "problem.arguments.token"),
        ({"problem": {"arguments": {"a": [[{"pwd": CANARY}]]}}}, "problem.arguments.a.pwd"),
        ({"problem": {"arguments": {"url": f"http://u:{CANARY}@h/d"}}}, "problem.arguments.url"),
        ({"problem": {"arguments": {"dsn": [f"host=h password={CANARY}"]}}}, "arguments.dsn"),
        ({"problem": {"arguments": {"x": f"ghp_{CANARY}{CANARY}"}}}, "problem.arguments.x"),
        ({"tracking": {"experiment": f"https://{CANARY}@h"}}, "tracking.experiment"),
        ({"sweep": {"space": {"problem.arguments.api_key": f"choice({CANARY})"}}}, "api_key"),
    ],
)
def test_a_config_that_holds_a_secret_is_refused_by_its_key_alone(
    given_: dict[str, object], key: str
) -> None:
    with pytest.raises(BadInput) as error:
        check_secrets(given_)
    assert key in str(error.value)
    assert CANARY not in str(error.value)
    assert "environment variable" in str(error.value)


def test_a_stored_config_whose_secret_was_taken_out_says_so_in_one_line() -> None:
    stored = config.outcome(composed("problem=custom", "problem.path=a.b", "problem.shape=2"))
    stored["problem"] = {**stored["problem"], "arguments": {"url": f"http://{MASK}@host"}}
    with pytest.raises(BadInput) as error:
        stored_experiment(stored, trust=["a.b"])
    assert str(error.value) == (
        f"problem.arguments.url=http://{MASK}@host: was taken out as a secret; "
        "without it the run cannot be made again"
    )


def test_a_tracking_address_may_hold_a_password_and_secrets_may_be_left_open() -> None:
    check_secrets({"tracking": {"uri": f"http://u:{CANARY}@h"}, "x": {"token": None}})
    check_secrets({"problem": {"arguments": {"url": "https://host/data.csv?version=2"}}})


@pytest.mark.slow
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_hiding_takes_nothing_from_a_text_without_secrets_and_never_fails(text: str) -> None:
    assert mask_secrets(mask_secrets(text)) == mask_secrets(text)
    if MASK not in text and not has_secret(text) and "://" not in text:
        assert mask_secrets(text) == text
    mask_source(text)


@pytest.mark.slow
@given(st.sampled_from(NAMES), st.sampled_from(["=", ": ", " = ", '": "']), st.text("aZ9-_/+=."))
def test_no_value_of_a_secret_name_is_left_in_a_source(name: str, sign: str, tail: str) -> None:
    assert CANARY not in mask_source(f"# first\n{name}{sign}{CANARY}{tail}\n# last")


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["a", "password ", "x_", "token=", "a:", "sk-", "eyJ", "pass", '"', "http://a?", "-"]
)
def test_the_time_to_look_through_a_text_grows_no_faster_than_its_length_allows(
    piece: str,
) -> None:
    """Eight times the text takes far less than the 64 times of a quadratic search."""

    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            mask_source(text)
            has_secret(text)
            best = min(best, time.process_time() - begin)
        return best

    longest = share(32_000, 2)
    assert seconds(longest) < 40 * seconds(longest // 8)
