#!/bin/sh
# Puts a new basic auth string of a Prefect server into force: writes it where systemd reads the server's environment from, and restarts
# the server. A program for `replace` of a credential of the provider prefect-server; docs/providers/prefect-server.md says what has to be
# there beforehand. Needs python3, which is wherever Prefect is.
#
# usage: prefect-server.sh <environment file> <unit> [<address that answers 200 when the server is up>]
#
# Exit status: 0 the new string is in force; 75 certainly nothing was changed; anything else: look.
set -eu
umask 077

nothing_changed() {
  echo "$1" >&2
  exit 75
}

[ $# -ge 2 ] || nothing_changed 'usage: prefect-server.sh <environment file> <unit> [<address>]'
file=$1
unit=$2
address=${3:-}

# Three lines: what is to be done, the new string, the old one. They stand in no argument, and in no file but the one that is for them.
order=$(python3 -c '
import json, sys
order = json.load(sys.stdin)
print(order["do"], order["parts"]["key"], order["old"]["key"], sep="\n")
') || nothing_changed 'the order on standard input cannot be read'
newline='
'
work=${order%%"$newline"*}
strings=${order#*"$newline"}
fresh=${strings%%"$newline"*}
old=${strings#*"$newline"}
[ "$work" = replace ] || nothing_changed 'only replace is done here'
# What would not mean itself between the quotes of an environment file.
case "$fresh$old" in *[\'\\]*) nothing_changed 'the string holds a quote or a backslash' ;; esac

# The whole file or nothing of it: a server that starts meanwhile reads the old one or the new one.
write() {
  printf "PREFECT_SERVER_API_AUTH_STRING='%s'\n" "$1" >"$file.new" && sync "$file.new" && mv -f "$file.new" "$file"
}

restart() {
  systemctl restart "$unit"
}

# systemd says that it has started the server; the server says when it answers.
wait_until_up() {
  [ -n "$address" ] || return 0
  python3 - "$address" <<'END'
import sys, time, urllib.request
for _ in range(240):
    try:
        if urllib.request.urlopen(sys.argv[1], timeout=2).status == 200:
            sys.exit(0)
    except OSError:
        pass
    time.sleep(0.25)
sys.exit(1)
END
}

write "$fresh" || nothing_changed 'the environment file cannot be written'
if restart; then
  wait_until_up || { echo 'the server does not answer after its restart' >&2; exit 1; }
  exit 0
fi
echo 'the server could not be restarted: the old string is put back' >&2
if write "$old" && restart && wait_until_up; then exit 75; fi
echo 'and the old string is not in force either' >&2
exit 1
