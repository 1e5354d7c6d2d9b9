#!/bin/bash
# Runs in the container of boot.sh: the services as systemd runs them. Ends with "passed".
set -u

fail() {
	echo "failed: $*"
	journalctl --no-pager -n 40
	exit 1
}

get() {
	curl -s -m 20 -o /dev/null -w '%{http_code}' -H "Host: $1" http://127.0.0.1/
}

until_is() {	# WHAT COMMAND...
	for _ in $(seq 100); do
		[ "$("${@:2}")" != "$1" ] || return 0
		sleep 0.1
	done
	fail "not $1 within 10 s: ${*:2}: $("${@:2}")"
}

# Installed and enabled, they wait for what they need.
systemctl is-system-running --wait || fail "something did not start"
! systemctl -q is-active homeport homeport-gateway || fail "started without being set up"

printf '[gateway]\ndomain = localhost\naddress = 127.0.0.1\n' >/etc/homeport/gateway.conf
mkdir -p /home/ann/site
echo hello >/home/ann/site/index.html
printf '[service hello]\nto = /home/ann/site\n' >>/etc/homeport/homeport.conf
systemctl start homeport-gateway || fail "the gateway does not start"
homeport-gateway invite laptop | homeport join || fail "join"
systemctl start homeport || fail "the agent does not start"
until_is 200 get hello.laptop.localhost
systemctl show -p StatusText homeport | grep -q ': up$' || fail "the status is not told"

printf '[service more]\nto = /home/ann/site\n' >>/etc/homeport/homeport.conf
systemctl reload homeport || fail "reload"
until_is 200 get more.laptop.localhost
echo nonsense >>/etc/homeport/homeport.conf
systemctl reload homeport
[ "$(get more.laptop.localhost)" = 200 ] || fail "a bad reload did harm"
sed -i '$d' /etc/homeport/homeport.conf

# Nobody is refused while the gateway restarts or has crashed. Until the agent is back: 503.
for how in "restart" "kill -s KILL"; do
	for _ in $(seq 300); do
		get hello.laptop.localhost
		echo
	done >/tmp/visitors &
	sleep 0.5
	systemctl $how homeport-gateway
	wait $!
	lost=$(grep -vc -e 200 -e 503 /tmp/visitors)
	[ "$lost" = 0 ] || [ "$how" != restart ] && [ "$lost" -le 1 ] || # whom it had accepted
		fail "$how: $(sort /tmp/visitors | uniq -c)"
	echo "$how: $(sort /tmp/visitors | uniq -c | tr '\n' ' ')"
	until_is active systemctl is-active homeport-gateway
done

# Warnings are warnings in the journal.
journalctl -q -u homeport -p 4 | grep -q 'not connected to the gateway' || fail "no priorities"
! journalctl -q -u homeport -o cat | grep -q '^<[0-9]>' || fail "priorities as text"

# A mistake in the configuration is not tried again and again.
echo nonsense >/etc/homeport/gateway.conf
! systemctl restart homeport-gateway || fail "it started with nonsense"
sleep 4
[ "$(systemctl show -P NRestarts homeport-gateway)" = 0 ] || fail "it is started again"
echo passed
