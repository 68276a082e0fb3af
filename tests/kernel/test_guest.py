"""An instance boots, runs the documented commands, keeps what AWS keeps, and sees nothing of the host."""

import os
import socket
import subprocess
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from atoll.host.linux import image
from atoll.host.linux.guest import REBOOT_STATUS, Guest, remove, single_id, start, stop
from atoll.host.linux.inside import run_inside
from atoll.host.linux.netlink import LOOPBACK, Netlink, Route

from .conftest import in_child, start_and_enter, until

pytestmark = pytest.mark.kernel
ADDRESS, FAR, HOSTNAME = "10.0.0.55", "10.0.0.9", "ip-10-0-0-55.ec2.internal"
SECONDS = 20.0


class Site:
    """One instance at the end of a veth; the other end, 10.0.0.9, is in a namespace called "far"."""

    def __init__(self, place: Path, mode: str, **wanted):
        self.place, self.mode = place, mode
        self.keeper = start_and_enter(place, mode)
        names = self.keeper.namespaces
        for name in ("eni-1", "far"):
            names.create(name)
        with names.opened("eni-1") as near, names.opened("far") as far, Netlink(near) as here, Netlink(far) as there:
            here.add_veth("eth0", peer="v", peer_namespace=far)
            here.commit()
            for net, link, address in ((here, "eth0", ADDRESS), (there, "v", FAR)):
                index = net.link(link).index
                net.set_up(LOOPBACK)
                net.set_up(index)
                net.add_address(index, ip_interface(f"{address}/24"))
            here.add_route(Route(ip_network("0.0.0.0/0"), via=ip_address(FAR), link=here.link("eth0").index))
            here.commit(), there.commit()
        self.image = image.build(place / "state", single_id=single_id(self.keeper))
        self.wanted = wanted
        self.boots = 0

    @property
    def directory(self) -> Path:
        return self.place / "state" / "i-1"

    def boot(self):
        self.boots += 1
        guest = Guest(
            name=f"i-1#{self.boots}",
            network="eni-1",
            directory=self.directory,
            image=self.image,
            hostname=HOSTNAME,
            resolvers=(ip_address("10.0.0.2"),),
            search="ec2.internal",
            **self.wanted,
        )
        self.process = start(self.keeper, guest)
        until(lambda: self.console().count("atoll: up\n") == self.boots, SECONDS)
        return self

    def stop(self):
        stop(self.process, grace_seconds=SECONDS)
        return self.keeper.find(self.process.name).status

    def reboot(self):
        self.stop()
        return self.boot()

    def console(self) -> str:
        try:
            return (self.directory / "console.log").read_text()
        except FileNotFoundError:
            return ""

    def run(self, script: str, *, user: str = "ec2-user", status: int | None = 0) -> str:
        """Run a script in the instance as its user and return what it printed."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            os._exit(
                run_inside(self.process.pid, ("/bin/sh", "-c", script), rootless=self.mode == "rootless", user=user)
            )
        os.close(writing)
        with os.fdopen(reading) as pipe:
            printed = pipe.read()
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status is None or ended == status, f"{script!r} ended with {ended}: {printed}"
        return printed


@pytest.fixture
def site(place, mode):
    """Run a function with a Site in a child: entering namespaces is for good."""

    def run(steps, **wanted):
        def child():
            made = Site(place, mode, **wanted)
            try:
                steps(made)
            except BaseException:
                print(made.console())
                raise
            finally:
                made.keeper.destroy()

        in_child(child, rootless=mode == "rootless")

    return run


def test_an_instance_boots_with_its_name_address_and_users(site):
    def steps(it):
        it.boot()
        assert it.run("hostname") == HOSTNAME + "\n"
        assert it.run("cat /etc/resolv.conf") == "nameserver 10.0.0.2\nsearch ec2.internal\n"
        assert it.run("getent ahostsv4 $(hostname)").split()[0] == ADDRESS
        assert it.run("ls /sys/class/net").split() == ["eth0", "lo"]
        assert "inet 127.0.0.1/8" in it.run("ip address show dev lo")
        assert it.run("echo $HOME; pwd") == "/home/ec2-user\n/home/ec2-user\n"
        assert it.run("id -u; sudo id -u", user="ec2-user").split()[-1] == "0"
        if it.mode == "root":
            assert it.run("id -un") == "ec2-user\n"
        assert f"atoll: {HOSTNAME}, eth0 {ADDRESS}" in it.console()

    site(steps)


def test_the_documented_commands_make_a_nat_instance(site):
    def steps(it):
        it.boot()
        assert it.run("cat /proc/sys/net/ipv4/ip_forward") == "0\n"
        it.run("sudo sed -i 's/net.ipv4.ip_forward=0/net.ipv4.ip_forward=1/g' /etc/sysctl.conf")
        assert "net.ipv4.ip_forward = 1" in it.run("sudo sysctl --system")
        assert it.run("cat /proc/sys/net/ipv4/ip_forward") == "1\n"
        it.run("iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 6380 -j DNAT --to 10.0.1.231:6379", user="root")
        it.run("sudo iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.55")
        rules = it.run("sudo iptables -t nat -S")
        assert "-A PREROUTING -i eth0 -p tcp -m tcp --dport 6380 -j DNAT --to-destination 10.0.1.231:6379" in rules
        assert "-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.55" in rules

    site(steps)


def test_saved_rules_survive_a_reboot_and_others_do_not(site):
    def steps(it):
        it.boot()
        it.run("sudo sed -i 's/net.ipv4.ip_forward=0/net.ipv4.ip_forward=1/g' /etc/sysctl.conf")
        it.run("sudo sysctl -w net.ipv4.ip_forward=1; sudo touch /root/kept; touch /tmp/lost")
        it.run("sudo iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE")
        it.reboot()
        assert "MASQUERADE" not in it.run("sudo iptables -t nat -S")
        assert it.run("cat /proc/sys/net/ipv4/ip_forward") == "1\n"
        assert "nothing" in it.run("sudo ls /root/kept && ls /tmp/lost || echo nothing")
        it.run("sudo iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE")
        assert "[  OK  ]" in it.run("sudo service iptables save")
        it.run("sudo sysctl -w net.ipv4.ip_forward=0; sudo iptables -A INPUT -p icmp -j DROP")
        it.reboot()
        assert "-A POSTROUTING -o eth0 -j MASQUERADE" in it.run("sudo iptables -t nat -S")
        assert "icmp" not in it.run("sudo iptables -S")
        it.run("sudo systemctl disable iptables")
        it.reboot()
        assert "MASQUERADE" not in it.run("sudo iptables -t nat -S")

    site(steps)


def test_the_nat_instance_of_the_vpc_guide_is_made_as_it_is_printed_there(site):
    """docs.aws.amazon.com/vpc/latest/userguide/work-with-nat-instances.html, with the interface's name of here."""

    def steps(it):
        it.boot()
        it.run("sudo yum install iptables-services -y")
        it.run("sudo systemctl enable iptables; sudo systemctl start iptables")
        assert "-A FORWARD -j REJECT" in it.run("sudo iptables -S")  # as that package brings it
        it.run("echo net.ipv4.ip_forward=1 | sudo tee /etc/sysctl.d/custom-ip-forwarding.conf")
        it.run("sudo sysctl -p /etc/sysctl.d/custom-ip-forwarding.conf")
        it.run("sudo /sbin/iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE; sudo /sbin/iptables -F FORWARD")
        it.run("sudo service iptables save")
        it.reboot()
        rules = it.run("sudo iptables -S; sudo iptables -t nat -S; cat /proc/sys/net/ipv4/ip_forward")
        assert "-A POSTROUTING -o eth0 -j MASQUERADE" in rules
        assert "-A FORWARD" not in rules
        assert "--dport 22" in rules
        assert rules.endswith("\n1\n")

    site(steps)


def test_yum_installs_what_is_there_and_refuses_what_is_not(site):
    def steps(it):
        it.boot()
        for words in ("yum update -y", "dnf -y install telnet iptables", "yum install -y httpd redis6"):
            assert it.run(f"sudo {words}").endswith("Nothing to do.\nComplete!\n")
        refused = it.run("sudo dnf install -y telnet mariadb105-server no-such", status=1)
        assert "Package telnet is already installed." in refused
        assert "Error: Unable to find a match: mariadb105-server no-such\n" in refused
        assert "install it there" in refused
        assert "nothing can be installed" in it.run("sudo yum remove telnet", status=1)
        if it.mode == "root":
            assert "superuser" in it.run("yum install -y telnet", status=1)
        assert "redis-cli" in it.run("redis6-cli --version")

    site(steps)


def test_the_user_of_another_distribution_has_his_name_and_the_key(site):
    def steps(it):
        it.boot()
        assert it.run("echo $USER $HOME; sudo id -u", user="ubuntu") == "ubuntu /home/ubuntu\n0\n"
        assert "ssh-ed25519 AAAA" in it.run("cat ~/.ssh/authorized_keys", user="ubuntu")
        assert it.run("ls /home", user="root") == "ubuntu\n"
        assert "no user ec2-user" in it.run("true", status=127)
        said = it.run("sudo apt-get update && sudo apt install -y telnet nginx", user="ubuntu", status=100)
        assert "telnet is already the newest version" in said
        assert "E: Unable to locate package nginx" in said
        it.reboot()
        assert it.run("sudo -n whoami", user="ubuntu") == "root\n"

    site(steps, user="ubuntu", authorized_keys=("ssh-ed25519 AAAA mine",))


def test_the_first_web_server_of_guides_serves_and_comes_back_when_it_is_enabled(site):
    user_data = b"""#!/bin/bash
set -e
yum update -y
yum install -y httpd
systemctl start httpd
systemctl enable httpd
echo "Hello from $(hostname -f)" > /var/www/html/index.html
"""
    get = f"curl -sS --max-time 5 http://{ADDRESS}/"

    def steps(it):
        it.boot()
        until(lambda: "user data: done" in it.console(), SECONDS)
        assert it.run(get) == f"Hello from {HOSTNAME}\n"
        assert it.run("systemctl is-active httpd; systemctl is-enabled httpd") == "active\nenabled\n"
        it.reboot()
        assert it.run(get) == f"Hello from {HOSTNAME}\n"
        it.run("sudo service httpd restart && sudo systemctl disable httpd")
        assert "Unit nginx.service not found" in it.run("sudo systemctl start nginx", status=5)
        it.reboot()
        assert it.run("systemctl is-active httpd", status=3) == "inactive\n"

    site(steps, user_data=user_data)


def test_a_service_is_up_when_its_own_process_is(site):
    """Whether the machine has `ss` or not, whoever has the port, and while the pid is not yet in its file."""

    def steps(it):
        it.boot()
        it.run("mkdir /no; printf '#!/bin/sh\nexit 127\n' >/no/ss; chmod 755 /no/ss", user="root")
        start = "PATH=/no:$PATH service httpd start"
        assert "OK" in it.run(start, user="root")
        it.run("service httpd stop; until ! curl -s http://localhost/; do sleep 0.05; done", user="root")

        it.run("setsid python3 -m http.server 80 >/dev/null 2>&1 & echo $! >/pid", user="root")
        it.run("until curl -s http://localhost/ >/dev/null; do sleep 0.05; done", user="root")
        assert "FAILED" in it.run(start, user="root", status=1)
        assert it.run("service httpd status", user="root", status=3) == "httpd is stopped\n"

        it.run("service sshd stop; : >/run/dropbear.pid", user="root")
        assert it.run("service sshd status", user="root", status=3) == "dropbear is stopped\n"

    site(steps)


def test_the_nat_image_forwards_and_masquerades_from_the_start(site):
    def steps(it):
        for _ in range(2):
            it.boot() if it.boots == 0 else it.reboot()
            assert it.run("cat /proc/sys/net/ipv4/ip_forward") == "1\n"
            rules = it.run("sudo iptables -t nat -S POSTROUTING").splitlines()
            assert rules.count("-A POSTROUTING -s 10.0.0.0/16 -o eth0 -j MASQUERADE") == 1

    site(steps, nat_cidr="10.0.0.0/16")


def test_a_key_opens_ssh_and_nothing_else_does(site, tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys")
    keys.chmod(0o755)
    for name in ("good", "bad"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    secrets = {name: (keys / name).read_text() for name in ("good", "bad")}

    def steps(it):
        it.boot()
        for name, secret in secrets.items():
            (it.place / name).write_text(secret)
            (it.place / name).chmod(0o600)

        def ssh(key, user, *command):
            with it.keeper.namespaces.opened("far") as fd:
                return subprocess.run(
                    [
                        *("nsenter", f"--net=/proc/self/fd/{fd}", "ssh", "-T", "-F", "none", "-i", it.place / key),
                        *(
                            "-o",
                            "BatchMode=yes",
                            "-o",
                            "StrictHostKeyChecking=no",
                            "-o",
                            "UserKnownHostsFile=/dev/null",
                        ),
                        *("-o", "ConnectTimeout=10", "-o", "IdentitiesOnly=yes", f"{user}@{ADDRESS}", *command),
                    ],
                    pass_fds=(fd,),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=30,
                    check=False,
                )

        done = ssh("good", "ec2-user", "hostname; command -v service; sudo id -u; pwd")
        assert done.stdout.split() == [HOSTNAME, "/opt/atoll/bin/service", "0", "/home/ec2-user"], done
        assert ssh("bad", "ec2-user", "hostname").returncode == 255
        assert ssh("good", "root", "hostname").returncode == 255
        done = ssh("good", "ec2-user", "sudo service sshd restart; sudo service sshd status; exit 7")
        assert "is running" in done.stdout
        assert done.returncode == 7
        before = it.run("sudo cat /etc/dropbear/dropbear_ed25519_host_key | cksum")
        it.reboot()
        assert it.run("sudo cat /etc/dropbear/dropbear_ed25519_host_key | cksum") == before
        assert ssh("good", "ec2-user", "true").returncode == 0

    site(steps, authorized_keys=((keys / "good.pub").read_text(),))


def test_user_data_runs_once_as_root_and_its_output_is_on_the_console(site):
    def steps(it):
        it.boot()
        until(lambda: "atoll: user data: done" in it.console(), SECONDS)
        assert "hello from user data, uid 0" in it.console()
        assert "hello from user data" in it.run("cat /var/log/cloud-init-output.log")
        it.reboot()
        assert it.run("cat /root/count", user="root") == "once\n"

    site(steps, user_data=b"#!/bin/bash\necho hello from user data, uid $(id -u)\necho once >> /root/count\n")


def test_user_data_that_is_no_script_is_refused_on_the_console(site):
    def steps(it):
        it.boot()
        assert "user data: not run, because it does not start with #!" in it.console()

    site(steps, user_data=b"#cloud-config\nruncmd: [touch /x]\n")


def test_stop_is_orderly_within_bounds_even_if_a_process_ignores_it(site):
    def steps(it):
        it.boot()
        it.run("(trap '' TERM HUP; sleep 1000) >/dev/null 2>&1 </dev/null & (exec sleep 1000) >/dev/null 2>&1 &")
        assert it.stop() == 0
        assert it.console().rstrip().endswith("atoll: power off")
        assert not Path(f"/proc/{it.process.pid}").exists()

    site(steps)


@pytest.mark.parametrize(
    ("command", "status"),
    [("poweroff", 0), ("reboot", REBOOT_STATUS), ("shutdown -r now", REBOOT_STATUS), ("systemctl poweroff", 0)],
)
def test_an_instance_ends_itself(site, command, status):
    def steps(it):
        it.boot()
        it.run(f"sudo {command}", status=None)
        assert it.process.exited(timeout_seconds=SECONDS)
        assert it.keeper.find(it.process.name).status == status

    site(steps)


def test_orphans_are_reaped(site):
    def steps(it):
        it.boot()
        it.run("i=0; while [ $i -lt 50 ]; do (sleep 0.01 & ) ; i=$((i+1)); done")
        until(lambda: "Z" not in it.run("ps -eo stat= | cut -c1").split(), SECONDS)

    site(steps)


def test_removing_an_instance_leaves_no_file(site):
    def steps(it):
        it.boot()
        it.run("sudo mkdir -p /var/x/y; sudo chmod 000 /var/x; sudo rm /etc/motd")
        it.stop()
        remove(it.directory)
        assert not it.directory.exists()

    site(steps)


HOST_FILES = [
    "/work",
    "/farm",
    "/opt/atoll/single",
    "/etc/machine-id",
    "/var/lib/dpkg",
    "/etc/ssl/private",
    "/.dockerenv",
]


def test_nothing_of_the_host_is_visible_but_its_programs(site):
    secret = Path("/root/atoll-kernel-test") if os.access("/root", os.W_OK) else Path.home() / "atoll-kernel-test"
    secret.write_text("secret")
    try:

        def steps(it):
            it.boot()
            for path in (secret, it.place, *HOST_FILES):
                it.run(f"sudo test ! -e {path}", user="root")
            mounts = it.run("cut -d' ' -f5 /proc/self/mountinfo").split()
            assert not [path for path in mounts if path.startswith(("/tmp/", "/work", "/root", "/home"))]
            pids = it.run("ls -d /proc/[0-9]* | wc -l")
            assert int(pids) < 15
            assert it.run("ls /root /home", user="root").split() == ["/home:", "ec2-user", "/root:"]

        site(steps)
    finally:
        secret.unlink()


FORBIDDEN = [
    "echo h > /proc/sysrq-trigger",
    "echo 1 > /proc/sys/vm/drop_caches",
    "echo x > /proc/sys/kernel/core_pattern",
    "echo x > /usr/bin/atoll-kernel-test",
    "echo x > /opt/atoll/seed/hostname",
    "echo x > /etc/ld.so.cache",
    "mount -t tmpfs tmpfs /mnt",
    "mount -o remount,rw /usr",
    "umount /proc/sys",
    "mknod /tmp/disk b 8 0",
    "date -s 2001-01-01",
    "unshare -m true",
    "nsenter -t 1 -m true",
    "chroot /proc/1/root mount -t tmpfs tmpfs /mnt",
    "cat /proc/kcore | head -c 1 | grep -q .",
    "echo 1 > /sys/kernel/mm/transparent_hugepage/enabled",
    "nsenter --net=/proc/1/ns/net true",  # setns, even into what is his own
    "nsenter -t 1 -p -C true",
    "unshare -p -f true",
    "echo 0 > /sys/fs/cgroup/cgroup.procs",
    "cat /proc/1/root/../../root/.ssh/authorized_keys",
    "head -c 1 /dev/mem",
    "ls /dev/sda /dev/vda /dev/kvm /dev/loop0 | grep -q dev",
    "dmesg -c",
    "swapoff -a && echo 1 > /proc/sys/kernel/sysrq",
    "grep -qiE 'atoll|keeper' /proc/net/unix",  # the keeper's sockets
    "grep -qE ' (ext4|xfs|btrfs) rw' /proc/self/mounts",
]


def test_root_inside_cannot_hurt_the_host(site):
    def steps(it):
        it.boot()
        assert it.run("if (true) >/dev/null 2>&1; then echo done; fi", user="root") == "done\n"
        for command in FORBIDDEN:
            assert it.run(f"if ({command}) >/dev/null 2>&1; then echo done; fi", user="root") == "", command

    site(steps)


def test_root_inside_may_do_with_its_network_what_it_likes(site):
    def steps(it):
        it.boot()
        it.run("sysctl -w net.ipv4.conf.all.rp_filter=0; sysctl -w net.core.somaxconn=512", user="root")
        it.run("ip address add 10.0.0.56/24 dev eth0; ip route add 192.0.2.0/24 via 10.0.0.9", user="root")
        it.run("ping -c 1 -W 5 10.0.0.9")
        it.run("nft add table ip mine; ip netns list", user="root")

    site(steps)


def test_programs_of_the_scenario_run(site):
    def steps(it):
        it.boot()
        assert "redis-cli" in it.run("valkey-cli --version") or "valkey-cli" in it.run("valkey-cli --version")
        assert it.run("php -m | grep -E '^(memcache|redis)$' | sort").split() == ["memcache", "redis"]
        assert "curl" in it.run("curl --version")
        assert "Connected to 10.0.0.9" in it.run(
            "(sleep 0.5; printf 'quit\\n') | telnet 10.0.0.9 7777; true", status=None
        )

    def with_server(it):
        listener = it.keeper.namespaces.socket("far", socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((FAR, 7777))
        listener.listen()
        steps(it)

    site(with_server)
