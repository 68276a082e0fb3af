#!/bin/busybox sh
# The first process of the machine: this machine's files, read-only, below a file system in memory; then second.sh.
export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /below /above /new
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /modules/*.ko; do insmod "$module" || echo "cannot load $module"; done
shared="trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000"
mount -t 9p -o "$shared" files /below || exec poweroff -f
mount -t tmpfs -o size=90% above /above
mkdir /above/upper /above/work
mount -t overlay -o lowerdir=/below,upperdir=/above/upper,workdir=/above/work overlay /new
mkdir -p /new/usr/lib/modules
mount -t 9p -o "$shared" modules /new/usr/lib/modules
cp /bin/busybox /new/usr/local/sbin/modprobe  # it goes by its name
echo /usr/local/sbin/modprobe > /proc/sys/kernel/modprobe
for name in proc sys dev; do mount --move /$name /new/$name; done
mount -t tmpfs -o mode=1777 tmp /new/tmp
mount -t tmpfs -o mode=755 run /new/run
tree=$(tr ' ' '\n' < /new/proc/cmdline | sed -n s/^atoll.tree=//p)
exec switch_root /new /bin/sh "$tree/tests/unified/second.sh" "$tree"
