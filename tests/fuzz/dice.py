"""Values of parameters: what a caller would plausibly say, and what nobody should."""

import random
import string
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, tzinfo=UTC)
WORDS = string.ascii_lowercase + string.digits

# What is plausible for a parameter of this name (in lower case), where no answer has told a value of it.
PLAUSIBLE: dict[str, tuple[object, ...]] = {
    "cidrblock": ("10.0.0.0/16", "10.0.7.0/24", "10.0.8.0/28", "172.31.96.0/20", "192.168.0.0/16", "0.0.0.0/0"),
    "destinationcidrblock": ("0.0.0.0/0", "10.9.0.0/16", "172.16.0.0/12", "10.0.0.0/16"),
    "destinationipv6cidrblock": ("::/0", "2001:db8::/32"),
    "cidrip": ("0.0.0.0/0", "10.0.0.0/8", "192.0.2.7/32", "10.0.1.0/24"),
    "cidripv4": ("0.0.0.0/0", "10.0.0.0/8"), "cidripv6": ("::/0", "2001:db8::/64"),
    "cidr": ("10.0.0.0/8", "192.0.2.0/24"),
    "protocol": ("6", "17", "1", "-1", "tcp"), "ipprotocol": ("tcp", "udp", "icmp", "-1", "6", "58"),
    "fromport": (22, 80, 443, 6379, 0, -1), "toport": (22, 80, 443, 6379, 65535, -1),
    "port": (80, 443, 6379, 6380, 11211), "rulenumber": (1, 50, 100, 120, 32766), "ruleaction": ("allow", "deny"),
    "egress": (True, False), "instancetype": ("t3.micro", "t3.small", "m5.large"),
    "cachenodetype": ("cache.t3.micro", "cache.t3.small", "cache.m5.large", "cache.r6g.large"),
    "engine": ("valkey", "redis", "memcached"), "engineversion": ("7.2", "8.0", "7.1", "6.2", "1.6.22"),
    "cacheparametergroupfamily": ("valkey8", "redis7", "memcached1.6", "valkey7"),
    "mincount": (1,), "maxcount": (1, 2), "numcachenodes": (1, 2, 3), "numcacheclusters": (1, 2, 3),
    "numnodegroups": (1, 2, 3), "replicaspernodegroup": (0, 1, 2), "newreplicacount": (0, 1, 2, 3),
    "nodegroupcount": (1, 2, 3), "nodegroupid": ("0001", "0002"), "cachenodeidstoreboot": ("0001", "0002"),
    "cachenodeidstoremove": ("0001", "0002"), "cachenodeid": ("0001",), "maxresults": (5, 10, 100, 1000),
    "maxrecords": (20, 50, 100), "pagesize": (1, 10, 400), "deviceindex": (0, 1, 2), "limit": (1, 10, 50),
    "accessstring": ("on ~* +@all", "on ~app::* -@all +@read", "off ~keys* +get"), "username": ("app", "default"),
    "passwords": ("a-long-enough-password", "another-long-password"), "authtoken": ("0123456789abcdef-token",),
    "preferredmaintenancewindow": ("sun:05:00-sun:06:00", "mon:23:00-tue:01:00"),
    "snapshotwindow": ("05:00-06:00", "23:00-00:00"), "snapshotretentionlimit": (0, 1, 5, 35),
    "dailysnapshottime": ("03:00",), "transitencryptionmode": ("preferred", "required"),
    "availabilityzone": ("us-east-1a", "us-east-1b", "us-east-1c"), "regionname": ("us-east-1", "eu-west-1"),
    "snapshotname": ("keep", "nightly", "copy"), "targetsnapshotname": ("copy-1", "copy-2"),
    "key": ("Name", "team", "stage"), "value": ("shop", "x", ""), "description": ("of the shop", "text"),
    "groupdescription": ("of the shop",), "groupname": ("app", "db", "web"), "keyname": ("key", "other"),
    "servicename": ("com.amazonaws.us-east-1.elasticache", "com.amazonaws.us-east-1.s3"),
    "servicecode": ("ec2", "elasticache", "vpc"), "quotacode": ("L-F678F1CE", "L-DFE45DF3"), "desiredvalue": (50.0,
        500.0),
    "attributename": ("enableDnsSupport", "domain-name"), "rolearn": ("arn:aws:iam::000000000000:role/app",),
    "rolesessionname": ("session",), "durationseconds": (900, 3600), "accesskeyid": ("000000000000",),
    "namespace": ("AWS/ElastiCache", "Shop"), "metricname": ("CPUUtilization", "CurrConnections"), "period": (60,
    300),
    "statistic": ("Average", "Maximum"), "stat": ("Average", "p99"), "evaluationperiods": (1, 2, 3),
    "threshold": (1.0, 80.0), "comparisonoperator": ("GreaterThanThreshold", "LessThanThreshold"),
    "statevalue": ("OK", "ALARM", "INSUFFICIENT_DATA"), "statereason": ("by hand",), "expression": ("m1 * 2",
    "SUM(METRICS())"),
    "loggroupname": ("/shop/slow", "/shop/engine"), "filterpattern": ("ERROR", '{ $.a = "b" }', "[a, b]"),
    "addressfamily": ("IPv4", "IPv6"), "maxentries": (1, 5, 10), "strategy": ("cluster", "spread", "partition"),
    "domain": ("vpc",), "connectivitytype": ("public", "private"), "trafficType": ("ALL",), "resourcetype": ("vpc",),
    "destination": ("10.0.1.5",), "source": ("10.0.1.4",), "architecture": ("x86_64",), "allocationid": (),
    "privateipaddress": ("10.0.1.77", "10.0.1.78"), "ipaddress": ("10.0.1.79",), "peerregion": ("us-east-1",),
    "scheme": ("internal", "internet-facing"), "type": ("network", "forward"), "targettype": ("instance", "ip"),
    "healthcheckport": ("traffic-port", "80"), "principals": ("*", "arn:aws:iam::222222222222:root"),
    "globalreplicationgroupidsuffix": ("world", "globe"), "customernodeendpointlist": (),
    "parametername": ("maxmemory-policy", "timeout", "hash-max-listpack-entries"),
    "parametervalue": ("allkeys-lru", "0", "64"), "cpucredits": ("standard", "unlimited"),
    "publickeymaterial": (
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Lr0Xw2f8mQpYy0d9p9mCw3pQb1nq3u2yqk7m4Tg5e somebody",
    ),
}  # fmt: skip

HOSTILE_TEXT = (
    "", " ", "0", "-1", "null", "None", "true", "[]", "{}", "\0", "a\0b", "\r\n", "\u202e", "\ufeff", "\uffff", "é",
    "한국",
    "🌊" * 8, "a" * 255, "a" * 256, "a" * 257, "a" * 70_000, "../../../etc/passwd", "<script>alert(1)</script>",
    "]]>",
    "&amp;&#0;", "'; drop table resource; --", "%s%n%d", "{name}", "{0.__class__}", "${jndi:x}", "*", "?" * 40,
    "*" * 40,
    "\\", "\\" * 31, "a" * 40 + "!", "vpc-", "vpc-0", "sg-zzzz", "i-" + "0" * 17, "arn:", "arn:aws:elasticache:::",
    "arn:" * 60,
    "arn:aws:elasticache:us-east-1:000000000000:cluster:" + "x" * 99, "0.0.0.0/0", "10.0.0.0/33", "10.0.0.0/-1",
    "10.0.0.1/16", "::/0", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3", "１０.0.0.0/8", "٣", "²", "1e309", "nan", "inf",
    "-0",
    "0x10", "1_000", "99999999999999999999", "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "sun:24:00-sun:25:00", "99:99-00:00", "cron(* * * * ? *)", "on ~* &* +@all " * 30, "on >", "%", "~", "a=b&c=d",
    "\t", "\x7f",
    "Ａ", "İ", "ß", "9" * 5_000, "[" * 9_000, '{"Statement": []}', "[1]", "00000000000000000000000", "tag:",
    "tag:" + "k" * 128, "\ud800",
)  # fmt: skip
HOSTILE_NUMBERS = (
    0, -1, 1, 2, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63), 2**63, 10**30, 1e308, -0.5,
)  # fmt: skip


# What a sweep puts into every place: one of each kind that parsers stumble over.
NASTY: tuple[object, ...] = (
    "", "\0", "\ud800", "²", "٣", "9" * 5_000, "-1", "1e999", "nan", "[" * 50_000, "[]",
    '{"a": [1e999, "\\ud800"]}', "{0.x}%s",
    "a" * 300, "a" * 20_000 + "!", "\\", "*" * 30 + "b", "(", "é한🌊", "10.0.0.0/33", "::ffff:1.2.3.4", "0.0.0.0/0",
    "::/0", "arn:aws:x:::",
    "vpc-0ffffffffffffffff", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "a,b", " ", "\n",
    0, -1, 2**31 - 1, 2**63, 10**400, -0.5, 1e308, True, [], {}, ["x"] * 300, [["x"]], {"x": {}}, None,
)  # fmt: skip


class Dice(random.Random):
    """Throws what a seed says; equal seeds throw the same."""

    full = False  # whether structures have all their members

    def word(self) -> str:
        return "".join(self.choices(WORDS, k=self.randint(1, 12)))

    def name(self) -> str:
        return self.choice(WORDS[:26]) + self.word()

    def moment(self) -> datetime:
        return START + timedelta(seconds=self.randint(-100_000, 100_000))

    def scalar(self, type_: str) -> object:
        """Return any valid value of a type."""
        match type_:
            case "boolean":
                return self.random() < 0.5
            case "integer" | "long":
                return self.choice((0, 1, 2, 5, 10, 100, self.randint(0, 70_000)))
            case "float" | "double":
                return self.choice((0.0, 1.0, 50.5, self.random()))
            case "timestamp":
                return self.moment()
            case "blob":
                return self.randbytes(self.randint(0, 40))
        return self.name()

    def hostile(self) -> object:
        """Return what no parameter, or only another one, should be."""
        roll = self.random()
        if roll < 0.55:
            return self.choice(HOSTILE_TEXT)
        if roll < 0.8:
            return self.choice(HOSTILE_NUMBERS)
        if roll < 0.86:
            return "".join(chr(self.choice((self.randint(1, 255), self.randint(256, 0xD7FF)))) for _ in range(9))
        if roll < 0.9:
            return self.choice((True, False))
        if roll < 0.93:
            return self.moment()
        return self.choice(([], {}, [""], {"a": "b"}, [[["x"]]], {"Value": {"Value": "x"}}, ["x"] * 300))
