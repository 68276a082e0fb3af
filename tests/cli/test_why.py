"""`atoll why` on real machines: what AWS cannot see is seen in the instance itself; and on paper, what is known."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from atoll.host.engine.programs import available
from tests.cli.daemon import Atoll

CLIENT = "198.51.100.27"
WAITS = "i=0; until ss -ltn | grep -q ':{port} ' || [ $i -gt 200 ]; do sleep 0.05; i=$((i+1)); done"
SERVE = "python3 -m http.server {port} --bind {address} >/dev/null 2>&1 & "


def started(host):
    directory = Path(tempfile.mkdtemp(prefix="atoll-why-"))
    made = Atoll(directory / "state", host)
    done = made.up()
    if done.returncode == 3:
        pytest.skip(f"NO KERNEL FOR MACHINES: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return directory, made


@pytest.fixture(scope="module")
def atoll():
    directory, made = started("auto")
    try:
        made.launch("app")
        made.launch("web")
        made.launch("nat", NetworkInterfaces=[{"DeviceIndex": 0, "AssociatePublicIpAddress": True}])
        yield made
    finally:
        ended = made("down", "--purge")
        shutil.rmtree(directory)
        assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def cache(atoll):
    client = atoll.client("elasticache")
    client.create_cache_cluster(
        CacheClusterId="sessions", Engine="memcached", CacheNodeType="cache.t3.micro", NumCacheNodes=1
    )
    client.get_waiter("cache_cluster_available").wait(
        CacheClusterId="sessions", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )


def codes(done):
    return [b["code"] for b in json.loads(done.stdout)["blockers"]]


def inside(atoll, name, line):
    done = atoll("exec", name, "--", "sh", "-c", line)
    assert done.returncode == 0, done.stderr


def serve(atoll, name, port, address="0.0.0.0"):
    inside(atoll, name, SERVE.format(port=port, address=address) + WAITS.format(port=port))


@pytest.fixture
def flushed(atoll):
    """Undo afterwards what a test did to the firewall of web and nat."""
    yield
    for name in ("web", "nat"):
        inside(atoll, name, "nft flush ruleset; sysctl -qw net.ipv4.ip_forward=0")


@pytest.mark.kernel
@pytest.mark.engines
class TestReal:
    def test_what_is_reachable_is_said_to_be_and_answers(self, atoll, cache):
        del cache
        done = atoll("why", "app", "sessions")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "is reachable" in done.stdout
        assert "the engine answers: VERSION" in done.stdout

    def test_a_name_is_asked_first(self, atoll, cache):
        del cache
        name = "sessions.q7io1l.cfg.use1.cache.amazonaws.com"
        done = atoll("why", "app", f"{name}:11211")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[1].startswith(f"✓ name                 {name} is 172.31.")

    def test_the_instances_own_iptables_are_named(self, atoll, flushed):
        del flushed
        inside(atoll, "web", "iptables -A INPUT -p tcp --dport 22 -j DROP")
        done = atoll("why", "app", "web:22", "--json")
        assert done.returncode == 1
        assert codes(done) == ["GUEST_FIREWALL"]
        assert "-A INPUT -p tcp -m tcp --dport 22 -j DROP" in done.stdout

    def test_the_instances_own_nftables_are_named(self, atoll, flushed):
        del flushed
        inside(atoll, "web", "nft add table inet mine")
        inside(atoll, "web", "nft 'add chain inet mine in { type filter hook input priority 0; }'")
        inside(atoll, "web", "nft add rule inet mine in tcp dport { 22, 23 } counter drop")
        done = atoll("why", "app", "web:22")
        assert done.returncode == 1
        assert "inet mine in: tcp dport { 22, 23 } counter packets 0 bytes 0 drop" in done.stdout

    def test_a_missing_listener_and_one_on_loopback_only_are_named(self, atoll):
        assert codes(atoll("why", "app", "web:8081", "--json")) == ["GUEST_NO_LISTENER"]
        serve(atoll, "web", 8081, "127.0.0.1")
        assert codes(atoll("why", "app", "web:8081", "--json")) == ["GUEST_LISTENS_ELSEWHERE"]

    def test_everything_in_the_way_is_mended_and_asked_again(self, atoll, flushed):
        """A rule of the group and one inside: both are mended, and a real packet arrives."""
        del flushed
        serve(atoll, "web", 8082)
        ec2 = atoll.client("ec2")
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = ec2.create_security_group(GroupName="closed", Description="x", VpcId=vpc)["GroupId"]
        (web,) = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["web"]}])["Reservations"]
        instance = web["Instances"][0]
        ec2.modify_instance_attribute(InstanceId=instance["InstanceId"], Groups=[group])
        inside(atoll, "web", "iptables -A INPUT -p tcp --dport 8082 -j DROP")
        ask = ["exec", "app", "--", "curl", "-sfm", "2", "-o", "/dev/null", f"{instance['PrivateIpAddress']}:8082"]

        before = atoll(*ask)
        declined = atoll("why", "app", "web:8082", "--apply", given="n\nn\n")
        mended = atoll("why", "app", "web:8082", "--apply", "--yes")
        after = atoll(*ask)

        assert before.returncode == 28
        assert declined.returncode == 1
        assert declined.stderr.count("[y/N]") == 2
        assert "evidence: " in declined.stdout
        assert "no rule in (receiver)" in declined.stdout
        assert mended.returncode == 0, mended.stdout + mended.stderr
        assert "+ aws ec2 authorize-security-group-ingress" in mended.stderr
        assert "+ atoll exec" in mended.stderr
        assert after.returncode == 0, after.stderr

    def test_a_machine_that_does_not_forward_is_named(self, atoll, flushed):
        del flushed
        ec2 = atoll.client("ec2")
        found = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["nat"]}])["Reservations"][0]
        nat = found["Instances"][0]
        group = nat["SecurityGroups"][0]["GroupId"]
        web = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["app"]}])["Reservations"][0]
        app = web["Instances"][0]["PrivateIpAddress"]
        ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=2222, ToPort=2222, CidrIp=f"{CLIENT}/32"
        )
        place = f"{nat['PublicIpAddress']}:2222"

        bare = codes(atoll("why", CLIENT, place, "--json"))
        inside(atoll, "nat", f"iptables -t nat -A PREROUTING -p tcp --dport 2222 -j DNAT --to {app}:22")
        forwarded = codes(atoll("why", CLIENT, place, "--json"))
        inside(atoll, "nat", "iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE")
        masqueraded = codes(atoll("why", CLIENT, place, "--json"))
        mended = atoll("why", CLIENT, place, "--apply", "--yes")
        typed = f"sleep 1 | telnet {nat['PublicIpAddress']} 2222 | tr -cd '[:print:]'"
        banner = atoll("run", "--as", CLIENT, "--", "timeout", "5", "sh", "-c", typed)

        assert bare == ["GUEST_NO_LISTENER"]
        assert forwarded[0:1] != bare[0:1]
        assert "GUEST_NOT_FORWARDING" in forwarded
        assert "GUEST_NOT_FORWARDING" in masqueraded
        assert len(masqueraded) < len(forwarded)
        assert mended.returncode == 0, mended.stdout + mended.stderr
        assert "SSH-2.0" in banner.stdout, banner.stdout + banner.stderr

    def test_an_engine_that_wants_a_password_is_named(self, atoll, tmp_path):
        found = [e for e in available(tmp_path) if e.name in ("valkey", "redis")]
        if not found:
            pytest.skip("NO VALKEY OR REDIS OSS ON THIS MACHINE")
        engine = [str(found[0].path), "--port", "6390", "--requirepass", "secret", "--bind", "0.0.0.0", "--save", ""]
        command = [sys.executable, "-m", "atoll.cli", "run", "--in", "nat", "--", *engine]
        process = subprocess.Popen(command, env=atoll.env, cwd=tmp_path, stdout=subprocess.DEVNULL)
        try:
            inside(atoll, "nat", WAITS.format(port=6390))
            refused = atoll("why", "app", "nat:6390", "--json")
            allowed = atoll("why", "app", "nat:6390", "--auth", "--json")
        finally:
            process.kill()
            process.wait()

        assert codes(refused) == ["ENGINE_WANTS_PASSWORD"]
        assert (codes(allowed), allowed.returncode) == ([], 0)

    def test_something_that_speaks_tls_only_is_named(self, atoll, tmp_path):
        if shutil.which("openssl") is None:
            pytest.skip("NO OPENSSL ON THIS MACHINE")
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "1"]
        files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
        subprocess.run([*make, *files], check=True, capture_output=True)
        serve = [
            "openssl",
            "s_server",
            "-accept",
            "6391",
            "-cert",
            str(tmp_path / "cert"),
            "-key",
            str(tmp_path / "key"),
        ]
        command = [sys.executable, "-m", "atoll.cli", "run", "--in", "nat", "--", *serve, "-quiet"]
        process = subprocess.Popen(command, env=atoll.env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            inside(atoll, "nat", WAITS.format(port=6391))
            plain = atoll("why", "app", "nat:6391", "--json")
            secured = atoll("why", "app", "nat:6391", "--tls", "--json")
        finally:
            process.kill()
            process.wait()

        assert codes(plain) == ["ENGINE_WANTS_TLS"]
        assert (codes(secured), secured.returncode) == ([], 0)


@pytest.fixture(scope="module")
def paper():
    directory, made = started("paper")
    try:
        made.launch("app")
        made.launch("web")
        yield made
    finally:
        made("down", "--purge")
        shutil.rmtree(directory)


def test_on_paper_it_answers_from_what_is_known(paper):
    done = paper("why", "app", "web:80")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is reachable" in done.stdout
    assert "inside the machines" not in done.stdout


def test_on_paper_a_refusal_is_mended_too(paper):
    ec2 = paper.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    (found,) = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["web"]}])["Reservations"]
    web = found["Instances"][0]["PrivateDnsName"]

    before = paper("why", "app", f"{web}:80", "--json")
    mended = paper("why", "app", f"{web}:80", "--apply", "--yes", "--json")

    assert (before.returncode, codes(before)) == (1, ["NO_RESOLVER"])
    assert (mended.returncode, codes(mended)) == (0, [])
    assert ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"] is True


def test_a_name_that_means_nothing_there_is_named(paper):
    (found,) = paper.client("ec2").describe_instances(Filters=[{"Name": "tag:Name", "Values": ["web"]}])[
        "Reservations"
    ]
    name = found["Instances"][0]["PrivateDnsName"]
    done = paper("why", CLIENT, f"{name}:80", "--json")
    assert done.returncode == 1
    assert codes(done)[0] == "NAME_UNKNOWN"


def test_of_a_cache_with_several_nodes_it_is_about_the_first_that_cannot_be_reached(paper):
    ec2, cache = paper.client("ec2"), paper.client("elasticache")
    wanted = {"Engine": "memcached", "CacheNodeType": "cache.t3.micro", "NumCacheNodes": 2, "AZMode": "cross-az"}
    cache.create_cache_cluster(
        CacheClusterId="many", **wanted, PreferredAvailabilityZones=["us-east-1a", "us-east-1b"]
    )
    assert paper("why", "app", "many").returncode == 0

    (second,) = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1b"]}])["Subnets"]
    (acl,) = ec2.describe_network_acls()["NetworkAcls"]
    shut = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 9, "Egress": True}
    ec2.create_network_acl_entry(**shut, Protocol="-1", RuleAction="deny", CidrBlock=second["CidrBlock"])
    done = paper("why", "app", "many", "--json")
    ec2.delete_network_acl_entry(**shut)

    assert (codes(done), done.returncode) == (["SUBNET_ACL_RESTRICTION"], 1)
    assert "rule 9" in done.stdout


def test_from_the_internet_a_machine_is_asked_for_at_its_public_address(paper):
    """As people ask first: why do I not get in?  Not because of the private address, which nobody outside uses."""
    why, trace = (paper(command, "outside", "web:22", "--json") for command in ("why", "trace"))

    (blocker,) = json.loads(why.stdout)["blockers"]
    assert (blocker["code"], why.returncode) == ("ENI_SG_RULES_MISMATCH", 1)
    assert f"--port 22 --cidr {CLIENT}/32" in blocker["mend"][0]["command"]
    assert json.loads(trace.stdout)["packet"]["destination"].startswith("203.0.113.")


def test_a_name_that_means_nothing_anywhere_is_named_too(paper):
    done = paper("why", "app", "cache.example.com:80", "--json")
    assert (done.returncode, codes(done)) == (1, ["NAME_UNKNOWN"])
    assert "cache.example.com has no address" in paper("why", "app", "cache.example.com:80").stdout


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        (["nobody", "web:80"], "nothing is called 'nobody'"),
        (["app", "web"], "does not say which port"),
        (["app", "web:0"], "is not a port"),
        (["app", "web:80", "--protocol", "sctp"], "is not a protocol"),
    ],
)
def test_a_question_that_cannot_be_answered_is_an_error(paper, question, complaint):
    done = paper("why", *question)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
