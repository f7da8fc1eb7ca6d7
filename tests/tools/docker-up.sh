#!/bin/sh
# A private Docker daemon for the tests that drive a real container engine.
#
#   docker-up.sh up      installs Debian's docker.io when no dockerd is here,
#                        starts the daemon, and prints its address
#   docker-up.sh down    stops the daemon and deletes everything it kept
#   docker-up.sh status  says whether it answers; exit code 0 when it does
#
# Everything lives under $KILN_DOCKER_DIR (default /tmp/kiln-docker), so a
# daemon of the machine's own is neither used nor disturbed. Needs root.
set -eu

directory=${KILN_DOCKER_DIR:-/tmp/kiln-docker}
socket=$directory/docker.sock
pidfile=$directory/dockerd.pid
log=$directory/dockerd.log

answers() {
    curl --silent --fail --max-time 5 --unix-socket "$socket" http://docker/_ping \
        >/dev/null 2>&1
}

# A zombie has no program any more.
running() {
    [ -f "$pidfile" ] && readlink "/proc/$(cat "$pidfile")/exe" >/dev/null
}

install() {
    missing=
    command -v dockerd >/dev/null || missing="$missing docker.io iptables"
    command -v curl >/dev/null || missing="$missing curl"
    [ -x /bin/busybox ] || missing="$missing busybox-static"
    [ -n "$missing" ] || return 0
    # Debian starts a daemon of its own after installing; ours is enough.
    policy=/usr/sbin/policy-rc.d
    ours=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        ours=yes
    fi
    export DEBIAN_FRONTEND=noninteractive
    status=0
    # shellcheck disable=SC2086  # a list of package names
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >&2 ||
        status=$?
    [ -z "$ours" ] || rm -f "$policy"
    return "$status"
}

start() {
    install
    mkdir -p "$directory/data" "$directory/exec"
    rm -f "$pidfile"
    nohup dockerd --data-root "$directory/data" --exec-root "$directory/exec" \
        --pidfile "$pidfile" -H "unix://$socket" >"$log" 2>&1 </dev/null &
}

up() {
    answers || running || start
    attempts=0
    until answers; do
        attempts=$((attempts + 1))
        if [ "$attempts" -ge 300 ]; then
            echo "dockerd does not answer after 60 s; the end of $log:" >&2
            tail -n 20 "$log" >&2
            exit 1
        fi
        sleep 0.2
    done
    echo "unix://$socket"
}

down() {
    if running; then
        kill "$(cat "$pidfile")"
        attempts=0
        while running; do
            attempts=$((attempts + 1))
            [ "$attempts" -lt 100 ] || { echo "dockerd does not stop" >&2; exit 1; }
            sleep 0.2
        done
    fi
    # A daemon that was killed leaves its mounts.
    awk -v below="$directory/" 'index($2, below) == 1 { print $2 }' /proc/mounts |
        sort -r | xargs -r umount --lazy
    rm -rf "$directory"
}

case ${1:-} in
up) up ;;
down) down ;;
status)
    if answers; then
        echo "answers at unix://$socket"
    else
        echo "not running"
        exit 1
    fi
    ;;
*)
    sed -n '2,11s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
