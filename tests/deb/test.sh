#!/bin/bash
# The Debian packages in a fresh system: installed, used, upgraded over an older version, removed,
# purged. Needs root and debootstrap, and takes the packages that `make deb` left in build-deb/. The
# fresh system comes from the mirror that this machine uses; it is kept in build-deb/root.tar for the
# next time.
set -eu
cd "$(dirname "$0")/../.."

out=$PWD/build-deb
log=$out/check.log
root=
gateway=

fail() {
	echo "deb-check: $*" >&2
	exit 1
}

cleanup() {
	[ -z "$gateway" ] || kill "$gateway" 2>/dev/null || :
	[ -n "$root" ] || return 0
	umount "$root/proc" 2>/dev/null || :
	rm -rf --one-file-system "$root"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

[ "$(id -u)" = 0 ] || fail "must be root"
command -v debootstrap >/dev/null || fail "needs debootstrap (Debian: apt-get install debootstrap)"
new=$(dpkg-parsechangelog -S Version)
arch=$(dpkg --print-architecture)
debs="homeport_${new}_$arch.deb homeport-gateway_${new}_$arch.deb"
for deb in $debs; do
	[ -f "$out/$deb" ] || fail "build-deb/$deb is not there: make deb"
done

in_root() {
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@"
}

# Its output only if it fails.
quietly() {
	"$@" >"$log" 2>&1 </dev/null || {
		tail -n 30 "$log" >&2
		fail "failed: $*"
	}
}

step() {
	echo "== $*"
}

step "a fresh system"
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' |
	awk -v release="$release" '$2 == release { print $1; exit }')
[ -n "$mirror" ] || fail "apt knows no mirror of $release"
root=$(mktemp -d /var/tmp/homeport-deb-XXXXXX)
chmod 755 "$root"
if [ -f "$out/root.tar" ]; then
	tar -C "$root" -xf "$out/root.tar"
else
	quietly debootstrap --variant=minbase "$release" "$root" "$mirror"
	umount "$root/proc" 2>/dev/null || :
	tar -C "$root" -cf "$out/root.tar" --one-file-system .
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing starts in a chroot
chmod 755 "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc"

# The same packages with another number, and a configuration file that has changed since.
step "an older version of the packages"
mkdir "$root/old" "$root/new"
for deb in $debs; do
	tree=$root/old/tree
	cp "$out/$deb" "$root/new"
	dpkg-deb -R "$out/$deb" "$tree"
	sed -i 's/^Version: .*/Version: 0.0.1/' "$tree/DEBIAN/control"
	[ ! -f "$tree/etc/homeport/homeport.conf" ] || echo '# older' >>"$tree/etc/homeport/homeport.conf"
	dpkg-deb --root-owner-group -b "$tree" "$root/old" >/dev/null
	rm -rf "$tree"
done

# What they depend on comes first, so that whatever is left behind at the end is theirs.
depends=$(in_root sh -c 'apt-get -s install --no-install-recommends /old/*.deb' |
	awk '/^Inst/ && $2 !~ /^homeport/ { print $2 }')
quietly in_root apt-get -q -y install --no-install-recommends $depends

# Every file, and who the users are; not what dpkg and apt keep for themselves.
picture() {
	cd "$root"
	find . -xdev \( -path ./proc -o -path ./old -o -path ./new -o -path ./tmp -o -path ./run \
		-o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \
		-o -path './etc/*-' -o -path ./etc/.pwd.lock \) -prune -o -print | sort
	sort etc/passwd etc/group etc/shadow etc/gshadow
	cd - >/dev/null
}
picture >"$out/before"

step "install"
quietly in_root sh -c 'apt-get -q -y install --no-install-recommends /old/*.deb'
for program in homeport homeport-gateway; do
	in_root "$program" --version >/dev/null || fail "$program does not run"
	in_root getent passwd "$program" >/dev/null || fail "there is no user $program"
	in_root systemctl --root=/ is-enabled "$program.service" >/dev/null ||
		fail "$program.service is not enabled"
done
quietly in_root homeport --config /etc/homeport/homeport.conf config
[ -z "$(in_root dpkg --verify homeport homeport-gateway)" ] || fail "dpkg --verify"

# As an owner and the units would: StateDirectory= is made here by hand.
step "in use"
printf '[gateway]\ndomain = localhost\n[listen]\nhttps = 127.0.0.1:0\nhttp = 127.0.0.1:0\nports = none\n' \
	>"$root/etc/homeport/gateway.conf"
printf '[service mine]\nto = /srv\n' >>"$root/etc/homeport/homeport.conf"
for program in homeport homeport-gateway; do
	in_root install -d -m 700 -o "$program" -g "$program" "/var/lib/$program"
done
state=/var/lib/homeport-gateway
in_root runuser -u homeport-gateway -- env STATE_DIRECTORY=$state RUNTIME_DIRECTORY=$state \
	homeport-gateway run >"$out/gateway.log" 2>&1 &
started=$!
for _ in $(seq 100); do
	! grep -q '^gateway for' "$out/gateway.log" || break
	sleep 0.1
done
grep -q '^gateway for' "$out/gateway.log" ||
	fail "the gateway does not run: $(cat "$out/gateway.log")"
gateway=$(cat "$root$state/lock")
quietly in_root sh -c "homeport-gateway --state $state invite laptop >/tmp/code"
quietly in_root sh -c 'homeport join </tmp/code'
kill "$gateway" && wait "$started" || fail "the gateway did not end well: $(cat "$out/gateway.log")"
gateway=
quietly in_root runuser -u homeport -- cat /var/lib/homeport/agent-key.pem # though root joined
key=$(cat "$root/var/lib/homeport/agent-key.pem")

step "upgrade"
quietly in_root sh -c \
	'apt-get -q -y -o DPkg::Options::=--force-confold install --no-install-recommends /new/*.deb'
[ "$(in_root dpkg-query -W -f '${Version}' homeport)" = "$new" ] || fail "not upgraded"
grep -q 'service mine' "$root/etc/homeport/homeport.conf" || fail "the configuration is lost"
grep -q localhost "$root/etc/homeport/gateway.conf" || fail "the gateway's configuration is lost"
[ "$(cat "$root/var/lib/homeport/agent-key.pem")" = "$key" ] || fail "the key is lost"
[ -f "$root$state/link-key.pem" ] || fail "the gateway's key is lost"
in_root getent passwd homeport >/dev/null || fail "the user is lost"

step "remove"
quietly in_root apt-get -q -y remove homeport homeport-gateway
[ -f "$root/etc/homeport/homeport.conf" ] || fail "remove took the configuration"
[ -f "$root/var/lib/homeport/agent-key.pem" ] || fail "remove took the state"
[ ! -e "$root/usr/bin/homeport" ] || fail "the program is still there"

step "purge"
quietly in_root apt-get -q -y purge homeport homeport-gateway
picture >"$out/after"
diff "$out/before" "$out/after" || fail "the purge has left something, or taken too much"
rm -f "$out/before" "$out/after" "$out/gateway.log" "$log"
echo "deb-check: passed in $SECONDS s"
