"""A machine with public addresses of its own, and providers on its loopback that it takes for the real ones.

	with ProviderNet(folder, "members.dyndns.org") as net:
		net.certificate, net.key	for servers of these names, started inside the namespace
		run.start(*net.argv("ddclient", ...))	a program that finds those names at 127.0.0.1 and trusts the certificate
		net.move(V4, "8.8.4.8")

The namespace has a cable to the internet, with nobody there. The resolver is 127.0.0.1, whoever that is.
"""
import shutil
import subprocess

import pytest

from harness import needs_root
from lab import Namespace

V4, V6 = "8.8.4.7", "2606:4700::7"  # of nobody here: the world can use them, so they are published


def _missing():
    """Why there can be none here; None: there can."""
    missing = [tool for tool in ("ip", "openssl", "unshare") if not shutil.which(tool)]
    if missing:
        return f"needs {', '.join(missing)}"
    if needs_root.mark.args[0]:
        return needs_root.mark.kwargs["reason"]
    private = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    return f"needs mount namespaces: {private.stderr.strip()}" if private.returncode else None


needs_provider_net = pytest.mark.skipif(_missing() is not None, reason=str(_missing()))


class ProviderNet(Namespace):
    def __init__(self, folder, *names):
        super().__init__()
        self._internet = Namespace()
        self.wire("wan", self._internet, "home")
        self.ip(f"addr add {V4}/24 dev wan", f"addr add {V6}/64 dev wan nodad", "route add default dev wan",
                "-6 route add default dev wan")
        folder.mkdir()
        self.folder, self.certificate, self.key = folder, folder / "cert", folder / "key"
        self._certify(names)
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        (folder / "hosts").write_text(f"127.0.0.1 localhost {' '.join(names)}\n")

    def _certify(self, names):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", f"/CN={names[0]}", "-addext",
                        f"subjectAltName={','.join(f'DNS:{name}' for name in names)}", "-keyout", self.key, "-out",
                        self.certificate], check=True, capture_output=True)
        hashed = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", self.certificate], check=True, text=True,
                                capture_output=True).stdout.strip()
        (self.folder / "authorities").mkdir()
        for file in f"{hashed}.0", "ca-certificates.crt":
            shutil.copy(self.certificate, self.folder / "authorities" / file)

    def argv(self, *argv):
        """For a program to be started inside, with its own view of /etc; the pid is the program's."""
        mounts = ("authorities", "/etc/ssl/certs"), ("resolv.conf", "/etc/resolv.conf"), ("hosts", "/etc/hosts")
        script = "".join(f"mount --bind {self.folder / here} {there} && " for here, there in mounts) + 'exec "$@"'
        return "unshare", "--mount", "sh", "-c", script, "sh", *argv

    def move(self, old, new):
        """The provider of the line gives it another address."""
        bits, option = ("/64", "-6 ") if ":" in new else ("/24", "")
        self.ip(f"addr del {old}{bits} dev wan", f"addr add {new}{bits} dev wan{' nodad' if option else ''}",
                f"{option}route replace default dev wan")

    def close(self):
        super().close()
        self._internet.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
