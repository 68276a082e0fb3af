# The machine as it is to be (atoll.as on the kernel's command line), in which one command runs; then power off.
#   plain      no systemd: all processes are in the root group, and nobody has passed on a controller
#   container  as in one with a cgroup namespace of its own: its root group has processes, and is not the machine's
#   systemd    systemd is the first process, with its slices; the command is a service of it
said() { tr ' ' '\n' < /proc/cmdline | sed -n "s/^atoll.$1=//p"; }
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
tree=$1
mkdir -p /run/atoll-tests
{
  echo "cd $tree"
  said run | base64 -d
} > /run/atoll-tests/command
cat > /run/atoll-tests/all <<END
ip link set lo up
ulimit -n 65536
bash /run/atoll-tests/command
echo "ended with status \$?"
sync
sleep 1
echo o > /proc/sysrq-trigger
sleep 30
END
cd /
if [ "$(said as)" = systemd ]; then
  rm -f /.dockerenv  # else systemd takes it for a container
  mkdir -p /run/systemd/system
  cat > /run/systemd/system/atoll-tests.service <<END
[Unit]
Requires=dbus.socket systemd-logind.service
After=dbus.socket systemd-logind.service
[Service]
Environment=HOME=/root PATH=$PATH
ExecStart=/bin/bash /run/atoll-tests/all
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
END
  exec /usr/lib/systemd/systemd --unit=atoll-tests.service
fi
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
hostname atoll-tests
if [ "$(said as)" = container ]; then
  echo "+memory +pids +cpu" > /sys/fs/cgroup/cgroup.subtree_control
  mkdir /sys/fs/cgroup/container
  echo $$ > /sys/fs/cgroup/container/cgroup.procs
  exec unshare --cgroup --mount --propagation private sh -c \
    'umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && bash /run/atoll-tests/all'
fi
exec bash /run/atoll-tests/all
