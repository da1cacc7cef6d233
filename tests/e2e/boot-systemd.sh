#!/bin/sh
# Boots a real systemd over a copy-on-write view of this machine: boot-systemd.sh SHARED ROOT TEMPORARY, inside new namespaces
# (unshare -m -p -f -u -i -C -n). SHARED is /mnt there: its units/ are installed, sysusers.d/ and tmpfiles.d/ applied, programs/
# copied to /usr/local/sbin, postern.conf is the configuration, and test.target is what is started. Fails where that can't be.
set -eu
shared=$1 root=$2 temporary=$3

# ---- a root of its own: nothing of this reaches the machine ----
mount --make-rprivate /
mount -t tmpfs tmpfs "$temporary"
mkdir "$temporary/upper" "$temporary/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$temporary/upper,workdir=$temporary/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$root/dev/ptmx"
: > "$root/dev/console"
mount --bind "$shared" "$root/mnt"

# ---- what is tested ----
echo > "$root/etc/machine-id"
rm -rf "$root/var/lib/postern" "$root/etc/postern"
cp "$shared"/units/* "$root/etc/systemd/system/"
cp "$shared"/programs/* "$root/usr/local/sbin/"
for kind in sysusers tmpfiles; do
    mkdir -p "$root/usr/lib/$kind.d"
    cp "$shared/$kind.d/postern.conf" "$root/usr/lib/$kind.d/"
done
chroot "$root" systemd-sysusers postern.conf
chroot "$root" systemd-tmpfiles --create postern.conf
cp "$shared/postern.conf" "$root/etc/postern/postern.conf"
chroot "$root" chown root:postern /etc/postern/postern.conf
chmod 0640 "$root/etc/postern/postern.conf"
ip link set lo up

cd "$root"
mkdir -p run/old
pivot_root . run/old
umount -l /run/old
mount --make-rshared /
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=test.target --log-target=null
