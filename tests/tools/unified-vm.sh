#!/bin/sh
# A virtual machine whose control groups are of version 2, for the tests of the
# embedded runtime.
#
#   unified-vm.sh COMMAND [ARGUMENT...]
#
# Runs the command in the present directory, on a Debian kernel and one cgroup2
# tree, as systemd would mount it, and exits with the command's code. Inside, the
# root file system is this machine's, as a copy that is forgotten; temporary files
# are made in /mnt, in memory, since no layer can be laid over the copy.
# There is a network card, behind QEMU's own translation of addresses.
#
# What is missing is installed from Debian. The kernel is only unpacked, under
# $KILN_VM_DIR (default /tmp/kiln-vm). Needs root. Where the processors have no
# virtualisation to offer, everything in it takes some ten times as long.
set -eu

directory=${KILN_VM_DIR:-/tmp/kiln-vm}
busybox=/bin/busybox
drivers="virtio_pci 9pnet_virtio 9p overlay virtio_net"

install() {
    missing=
    command -v qemu-system-x86_64 >/dev/null || missing="$missing qemu-system-x86"
    command -v cpio >/dev/null || missing="$missing cpio"
    command -v depmod >/dev/null || missing="$missing kmod"
    [ -x "$busybox" ] || missing="$missing busybox-static"
    [ -n "$missing" ] || return 0
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of package names
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >&2
}

# Unpacks the kernel that Debian's stable package of that name stands for.
fetch_kernel() {
    [ ! -e "$directory/kernel/complete" ] || return 0
    rm -rf "$directory/kernel"
    mkdir -p "$directory/kernel"
    package=$(apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" { print $2; exit }')
    [ -n "$package" ] || { echo "apt knows no linux-image-amd64: run apt-get update" >&2; exit 1; }
    (cd "$directory/kernel" && apt-get download -q "$package" >&2 &&
        dpkg-deb -x "$package"*.deb . && rm "$package"*.deb)
    depmod -b "$directory/kernel" "$(kernel_version)"
    touch "$directory/kernel/complete"
}

kernel_version() {
    ls "$directory/kernel/lib/modules"
}

# The first file system: it loads the drivers and lays a copy over the root.
write_initramfs() {
    tree=$run/initramfs
    mkdir -p "$tree/bin" "$tree/modules" "$tree/proc" "$tree/dev" "$tree/below" \
        "$tree/above" "$tree/root"
    cp "$busybox" "$tree/bin/busybox"
    number=100
    # shellcheck disable=SC2086  # a list of modules
    modprobe -d "$directory/kernel" -S "$(kernel_version)" --show-depends --all $drivers |
        awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
        while read -r module; do
            cp "$module" "$tree/modules/$number-${module##*/}"
            number=$((number + 1))
        done
    cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
for module in /modules/*; do insmod "$module"; done
fs9p=trans=virtio,version=9p2000.L,msize=512000,cache=loose
mount -t 9p -o "ro,$fs9p" machine /below
mount -t tmpfs -o size=75% tmpfs /above
mkdir /above/upper /above/work
mount -t overlay -o lowerdir=/below,upperdir=/above/upper,workdir=/above/work overlay /root
mount -t tmpfs tmpfs /root/run
mkdir /root/run/kiln-vm
mount -t 9p -o "trans=virtio,version=9p2000.L" run /root/run/kiln-vm
exec switch_root /root /bin/sh /run/kiln-vm/inside
INIT
    chmod +x "$tree/init"
    (cd "$tree" && find . | cpio --quiet -o -H newc) >"$run/initramfs.cpio"
    rm -r "$tree"
}

# What the machine's first process does once it stands on the copy of the root.
write_inside() {
    cat >"$run/inside" <<INSIDE
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
mkdir -p /lib/modules
mount --bind '$directory/kernel/lib/modules' /lib/modules
mount -t tmpfs tmpfs /mnt
$busybox ip link set lo up
$busybox ip address add 10.0.2.15/24 dev eth0
$busybox ip link set eth0 up
$busybox ip route add default via 10.0.2.2
echo nameserver 10.0.2.3 >/etc/resolv.conf
sh /run/kiln-vm/command </dev/null
echo \$? >/run/kiln-vm/code
sync
$busybox poweroff -f
INSIDE
}

# The caller's environment, directory and command, as a script.
write_command() {
    {
        export -p
        printf 'export TMPDIR=/mnt\ncd %s || exit\nexec' "$(quoted "$PWD")"
        for word in "$@"; do
            printf ' %s' "$(quoted "$word")"
        done
        printf '\n'
    } >"$run/command"
}

quoted() {
    printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

# A stock kernel boots only on the processors' own virtualisation.
acceleration() {
    if [ -e /dev/kvm ] && { [ -e /sys/module/kvm_intel ] || [ -e /sys/module/kvm_amd ]; }; then
        echo kvm
    else
        echo tcg,thread=multi
    fi
}

boot() {
    share="security_model=none,multidevs=remap"
    qemu-system-x86_64 -machine q35 -accel "$(acceleration)" -cpu max \
        -smp 2 -m 4096 \
        -nodefaults -no-reboot -display none -serial stdio \
        -kernel "$directory/kernel/boot/vmlinuz-$(kernel_version)" \
        -initrd "$run/initramfs.cpio" -append "console=ttyS0 quiet loglevel=1 panic=-1" \
        -virtfs "local,path=/,mount_tag=machine,readonly=on,$share" \
        -virtfs "local,path=$run,mount_tag=run,$share" \
        -nic user,model=virtio-net-pci </dev/null | sed -u 's/\r$//'
}

if [ $# -eq 0 ]; then
    sed -n '2,16s/^# \{0,1\}//p' "$0"
    exit 2
fi
install
fetch_kernel
run=$(mktemp -d "$directory/run.XXXXXX")
trap 'rm -rf "$run"' EXIT
write_initramfs
write_inside
write_command "$@"
boot
if [ ! -s "$run/code" ]; then
    echo "the virtual machine ended before the command did" >&2
    exit 1
fi
exit "$(cat "$run/code")"
