#!/bin/sh
# What systemctl and journalctl are on the machine of tests/e2e/machine.py: enough to start our service as its unit would.
log=/var/log/postern.log

units_are_ours() {
    for unit in "$@"; do
        case $unit in
        postern | postern.service | postern-smtp.socket | postern-lmtp.socket) ;;
        *) echo "Unit $unit not found." >&2 && exit 5 ;;
        esac
    done
}

start() {
    [ -e /etc/postern/postern.conf ] || exit 0 # ConditionPathExists=
    install -d -o postern -g postern -m 0750 /run/postern
    setsid posternd >>"$log" 2>&1 </dev/null &
    echo $! >/run/postern.pid
    for _ in $(seq 200); do
        posternctl version >/dev/null 2>&1 && return
        kill -0 "$(cat /run/postern.pid)" || break
        sleep 0.05
    done
    tail "$log" >&2
    exit 1
}

stop() {
    [ -e /run/postern.pid ] || return 0
    kill "$(cat /run/postern.pid)" && while kill -0 "$(cat /run/postern.pid)" 2>/dev/null; do sleep 0.05; done
    rm -f /run/postern.pid
}

if [ "$(basename "$0")" = journalctl ]; then
    [ "$1" = -u ] && units_are_ours "$2"
    exec cat "$log"
fi
verb=$1
shift
[ "${1:-}" = --now ] && shift && verb=$verb-now
units_are_ours "$@"
case $verb in
start | enable-now) [ -e /run/postern.pid ] || start ;;
stop | disable-now) stop ;;
restart) stop && start ;;
reload) posternctl reload ;;
status) kill -0 "$(cat /run/postern.pid)" ;;
enable | daemon-reload | edit) ;;
*) exit 1 ;;
esac
