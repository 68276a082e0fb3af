"""The phrase book has every sentence of the tracer, of the look inside machines and of mends, in each language."""

import ast
import re
from dataclasses import replace

import pytest

from atoll.console.flows import unmended
from atoll.console.texts import Speaker
from atoll.console.texts.phrases import HOLE, LANGUAGES, phrase, sentences
from atoll.picture.scene import Flow, Scene
from tests.tidy.tree import ROOT

NETWORK = ROOT / "src/atoll/network"
SPEAKERS = [*sorted((NETWORK / "layers").glob("*.py")), *sorted(NETWORK.glob("mend*.py")), NETWORK / "trace.py",
            NETWORK / "inside/judge.py"]  # fmt: skip
# Which argument of a call is a sentence.
CALLS = {"Finding": 1, "refuse": 3, "Opinion": 1, "Mend": 0, "_firewall": 1}
NAMES = ("because", "says")
# Put together from parts, or no sentence of English: what they make is below.
WHOLE = {
    "{} -> {}", "{} -> {} of {}", "{}: {}", "{}: no masquerade fits, and answers do not come back",
    "{} of {} denies {} {} {}", "{} of {} is a blackhole",
    "{} is {} of {}: nothing filters it", "{} sends it on {}", "{} is assumed to forward it {}", "arrived at {}{}",
    "{} gives it to {} port {} of {}{}, from {}", "the {} {} is in no range of {}: a peering leads no further",
    "{} has no {} rules", "no rule of {} allows {} {} {}", "let {} allow it {} {}", "let {} allow it {} {}{}",
    "its own firewall drops the {}: {}", "{} of {}: {} has no IPv6 address: its machine knows no IPv6",
    "{} of {}: {} has no public address, so {} sends it nothing",
}  # fmt: skip
SAID = (
    "no rule of sg-1 or sg-2 allows tcp 6379 from 10.0.0.4", "no rule of any group allows icmp type 8 to 10.0.0.4",
    "sg-1 has no inbound rules", "any group has no outbound rules",
    "inbound rule * of acl-1 denies tcp 6379 from 10.0.0.4",
    "outbound rule 90 of acl-1 denies protocol 47 to 10.0.0.4",
    "10.0.0.2 is the resolver of vpc-1: nothing filters it",
    "169.254.169.254 is the instance metadata service of vpc-1: nothing filters it",
    "i-1 sends it on as tcp 10.0.0.4:40000 -> 10.0.1.4:6379", "i-1 sends it on unchanged",
    "i-1 is assumed to forward it from 10.0.0.9", "i-1 is assumed to forward it unchanged",
    "arrived at eni-1; i-1 is pending", "arrived at eni-1",
    "web gives it to i-1 port 80 of apps, one of 3, from 10.0.0.8",
    "web gives it to i-1 port 80 of apps, from 10.0.0.8",
    "the source 10.0.0.4 is in no range of vpc-2: a peering leads no further",
    "let sg-1 allow it from group sg-2",
    "let acl-1 allow it to 10.0.0.4 (ACLs are stateless: answers need rules too)",
    "its own firewall drops the request: the policy of ip filter INPUT is drop",
    "its own firewall lets the request in (as far as its rules can be read)",
    "0.0.0.0/0 -> eni-1 of rtb-1 is a blackhole",
    "0.0.0.0/0 -> eni-1 of rtb-1: eni-1 has no public address, so igw-1 sends it nothing",
    "✗ tcp 10.0.0.4:40000 -> 10.0.1.4:6379 is not reachable: 2 things are in the way",
    "✓ tcp 10.0.0.4:40000 -> 10.0.1.4:6379 is reachable", "✗ nobody.internal has no address: 1 thing is in the way",
    "sessions.cache is 10.0.1.4, 10.0.1.5 in vpc-1", "pages.cache is 198.51.100.27 on the internet",
    "i-1 may translate addresses by its own iptables; a trace cannot see them",
    "eni-1 is a stand-in for RDSNetworkInterface: nobody answers there for real",
    "i-1 is a stand-in: what serves in the imported instance, and its firewall, are not known",
    "no rule in", "more than 1024 packets a second to the VPC's services", "rule * of acl-1",
    "endpoint of elasticache", "route table rtb-1 (main)", "2 of sg-1 (shop) in subnet-1 (private)",
    "3 packets from eni-1 to eni-2 were refused: no rule allows it (receiver)",
)  # fmt: skip
PLAIN = ("10.0.0.0/16 -> local", "vpc-1 -> vpc-2", "it may be anything at all")


def strings(node):
    """Yield the texts that an expression may be, with `{}` for values."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in values)
        case ast.IfExp(body=body, orelse=orelse):
            yield from strings(body)
            yield from strings(orelse)


def spoken(path):
    """Yield every sentence that a file says."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in NAMES:
                yield from strings(value)
            case ast.Call(func=ast.Name(id=name), args=args) if name in CALLS and len(args) > CALLS[name]:
                yield from strings(args[CALLS[name]])
            case ast.Assign(targets=[ast.Name(id="NOBODY")], value=ast.Dict(values=values)):
                for value in values:
                    yield from strings(value)
            case ast.AnnAssign(target=ast.Name(id="NO_COMMAND"), value=ast.Dict(values=values)):
                for value in values:
                    yield from strings(value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_the_tracer_is_in_the_book(language):
    found = {text for path in SPEAKERS for text in spoken(path)} - WHOLE
    said = {text: text.replace("{}", "x-1") for text in found}
    assert len(said) > 120
    assert sorted(text for text, example in said.items() if phrase(language, example) == example) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_the_kernels_refusals_is_in_the_book(language):
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((NETWORK / "compile").glob("*.py"))]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    said = {call.args[0].value for call in calls if isinstance(call.func, ast.Name) and call.func.id == "refuse"
            and call.args and isinstance(call.args[0], ast.Constant)}  # fmt: skip
    assert len(said) > 20
    assert sorted(text for text in said if phrase(language, text) == text) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("said", SAID)
def test_what_is_put_together_is_understood_with_its_values(language, said):
    told = phrase(language, said)
    assert told != said
    assert [value for value in re.findall(r"\S*\d\S*\w", said) if value not in told] == []
    assert not HOLE.search(told)


@pytest.mark.parametrize("said", PLAIN)
def test_what_the_book_does_not_know_stays_as_it_is(said):
    assert phrase("ko", said) == said


def test_english_stays_english():
    assert phrase("en", SAID[0]) == SAID[0]


def test_a_translation_has_the_values_of_its_sentence():
    for english, translations in sentences().items():
        for text in translations.values():
            assert set(HOLE.findall(text)) == set(HOLE.findall(english)), text


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "✖ 10.0.0.4 → 10.0.1.4, tcp 6379: refused by sg-1: no rule in (packets: 3, the last 2 s ago)"),
        ("ko", "✖ 10.0.0.4 → 10.0.1.4, tcp 6379: 거부됨. sg-1: 인바운드 규칙 없음(패킷 3개, 마지막 2초 전)"),
        ("zh", "✖ 10.0.0.4 → 10.0.1.4, tcp 6379：被拒绝。sg-1：没有入站规则（3 个数据包，最近一次在 2 秒前）"),
    ],
)
def test_a_flow_of_the_map_is_told_in_each_language(language, told):
    refused = Flow(source="10.0.0.4", target="10.0.1.4", port=6379, count=3, blocked=True, because="no rule in",
                   by="sg-1", seconds_ago=2.2)  # fmt: skip
    scene = Scene(vpc_id="vpc-1", name="", cidrs=(), flows=(refused, replace(refused, blocked=False)))

    first, second = unmended(scene, Speaker(language))

    assert str(first.text) == told
    assert str(second.text).startswith("10.0.0.4 → 10.0.1.4, tcp 6379")
    assert first.mends is None, "nobody looked yet"
