#!/bin/sh
# File systems with project quotas, for the tests of a job's volume.
#
#   quota-volume.sh COMMAND [ARGUMENT...]
#
# Makes an ext4 and then an XFS in a file, mounts it, and runs the command with its
# directory in $KILN_TEST_QUOTA_DIR. Exits with the code of the first that fails.
# The kernel must have loop devices and quotas; that of unified-vm.sh does. Needs root,
# and Debian's e2fsprogs and xfsprogs.
set -eu

if [ $# -eq 0 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
fi
place=$(mktemp -d)
export KILN_TEST_QUOTA_DIR="$place/mounted"
mkdir "$KILN_TEST_QUOTA_DIR"
trap 'umount "$KILN_TEST_QUOTA_DIR" 2>/dev/null || true; rm -rf "$place"' EXIT
for module in loop ext4 quota_v2 xfs; do
    modprobe "$module" 2>/dev/null || true
done

for kind in ext4 xfs; do
    truncate -s 3G "$place/image"
    case $kind in
    ext4) mkfs.ext4 -q -O quota,project "$place/image" ;;
    xfs) mkfs.xfs -q "$place/image" ;;
    esac
    mount -t $kind -o loop,prjquota "$place/image" "$KILN_TEST_QUOTA_DIR"
    echo "on $kind:"
    "$@"
    umount "$KILN_TEST_QUOTA_DIR"
    rm "$place/image"
done
