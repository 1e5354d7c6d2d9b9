"""What the operator of an nsupdate.info server does; for the Python that scripts/install-peers made.

	nsupdate_site.py FOLDER make ZONE KEY_SECRET NAME=PASSWORD...	a site with these hosts of the zone
	nsupdate_site.py FOLDER serve PORT				plain HTTP, for a TLS front
	nsupdate_site.py FOLDER set NAME FLAG=0|1...			abuse, available
	nsupdate_site.py FOLDER show NAME				what it holds against the host's client, as JSON
"""
import json
import os
import pathlib
import sys

SETTINGS = """\
from nsupdate.settings.base import *
SECRET_KEY = "of a test"
DEBUG = False
WE_HAVE_TLS = CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = True
BASEDOMAIN = WWW_HOST = WWW_IPV4_HOST = WWW_IPV6_HOST = "ddns.example"
ALLOWED_HOSTS = ["*"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}}}}}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
"""


def make(zone, secret, *hosts):
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from nsupdate.main.models import Domain, Host
    call_command("migrate", verbosity=0)
    user = get_user_model().objects.create_user("operator", "operator@example.org", "of a test")
    domain = Domain.objects.create(name=zone, nameserver_ip="127.0.0.1", nameserver_update_secret=secret,
                                   nameserver_update_algorithm="HMAC_SHA512", available=True, created_by=user)
    for host in hosts:
        name, password = host.split("=")
        Host.objects.create(name=name, domain=domain, created_by=user).generate_secret(password)


def serve(port):
    from django.core.management import call_command
    call_command("runserver", f"127.0.0.1:{port}", use_reloader=False, skip_checks=True)


def host_of(name):
    from nsupdate.main.models import Host
    return Host.objects.get(name=name)


def set_flags(name, *flags):
    host = host_of(name)
    for flag in flags:
        key, value = flag.split("=")
        assert key in ("abuse", "available")
        setattr(host, key, value == "1")
    host.save()


def show(name):
    host = host_of(name)
    print(json.dumps({"client_faults": host.client_faults, "client_result": host.client_result_msg,
                      "api_auth_faults": host.api_auth_faults, "over_tls": host.tls_update_ipv4}))


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "site_settings.py").write_text(SETTINGS.format(database=str(folder / "site.sqlite")))
    sys.path.insert(0, str(folder))
    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
    import django
    django.setup()
    {"make": make, "serve": serve, "set": set_flags, "show": show}[sys.argv[2]](*sys.argv[3:])


main()
