#!/bin/busybox sh
# The guest's first process: puts the host's files under a layer that takes what is written, and goes over to them.
# shellcheck disable=SC1091 # written by machine.ts
busybox=/bin/busybox
$busybox --install -s /bin

give_up() {
  echo "guest: cannot $*" >/dev/console
  echo o >/proc/sysrq-trigger
  sleep 60
}

share() { # tag, directory, further options
  mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2" || give_up "mount $2"
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devices /dev
for module in /modules/*.ko; do insmod "$module" || give_up "load $module"; done

share host /host ro,cache=loose
mount -t tmpfs -o size=90% layer /layer
mkdir /layer/written /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/written,workdir=/layer/work overlay /root ||
  give_up "put a layer over the host's files"

cd /root || give_up "enter the new root"
mkdir -p proc sys dev run tmp lib/modules
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t bpf bpf sys/fs/bpf
mount -t devtmpfs devices dev
mkdir -p dev/pts dev/shm dev/net
mount -t devpts -o ptmxmode=666 devpts dev/pts
mount -t tmpfs shm dev/shm
mknod -m 666 dev/net/tun c 10 200 # opening it loads the module
for name in fd: stdin:/0 stdout:/1 stderr:/2; do ln -sf "/proc/self/fd${name#*:}" "dev/${name%%:*}"; done
mount -t tmpfs -o mode=755 run run
mkdir -p run/vm/job
cp /bin/busybox /job.sh run/vm/
share job run/vm/job cache=none
. run/vm/job/settings
mkdir -p "lib/modules/$release"
mount -o bind "/host$modules" "lib/modules/$release" || give_up "show the kernel's modules"
ifconfig lo up
hostname vm
exec switch_root /root /run/vm/busybox sh /run/vm/job.sh
