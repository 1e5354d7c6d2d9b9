#!/bin/bash
# Boots a container with the packages from build-deb/ and runs inside.sh there: the units with their
# sandbox, under a real systemd. After test.sh, which makes the fresh system. Needs root and
# systemd-nspawn; without the latter it says so and does nothing.
set -eu
cd "$(dirname "$0")/../.."

out=$PWD/build-deb
root=

cleanup() {
	[ -z "$root" ] || rm -rf --one-file-system "$root"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

if ! command -v systemd-nspawn >/dev/null; then
	echo "boot-check: skipped: needs systemd-nspawn (Debian: apt-get install systemd-container)"
	exit 0
fi
version=$(dpkg-parsechangelog -S Version)_$(dpkg --print-architecture)
root=$(mktemp -d /var/tmp/homeport-boot-XXXXXX)
chmod 755 "$root"
tar -C "$root" -xf "$out/root.tar"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$out/homeport_$version.deb" "$out/homeport-gateway_$version.deb" tests/deb/inside.sh "$root/root"
chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -c \
	'apt-get -q -y install --no-install-recommends systemd-sysv dbus curl /root/*.deb' \
	>"$out/boot.log" 2>&1 || { tail -n 20 "$out/boot.log" >&2; exit 1; }

cat >"$root/etc/systemd/system/inside.service" <<'EOF'
[Unit]
# not waited for by is-system-running
After=multi-user.target
[Service]
ExecStart=/bin/sh -c '/root/inside.sh >/root/result 2>&1; systemctl poweroff'
EOF
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../inside.service "$root/etc/systemd/system/multi-user.target.wants/inside.service"
timeout 200 systemd-nspawn -q --register=no --keep-unit --private-network -D "$root" -b \
	>"$out/boot.log" 2>&1 </dev/null || :
cat "$root/root/result"
[ "$(tail -n 1 "$root/root/result")" = passed ] || exit 1
echo "boot-check: passed in $SECONDS s"
