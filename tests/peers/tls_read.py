"""tls_read.py HOST:PORT CA: reads the status by TLS with the certificate of an authority that is trusted alone.

FIELDGATE_TOKEN is a token that may read. Prints as JSON what came of it: status and version, whether the cookie of a
logout is marked as secure, what became of TLS 1.1; or the problem.
"""

import http.client
import json
import os
import ssl
import sys
import warnings

address, authority = sys.argv[1:]
warnings.simplefilter("ignore", DeprecationWarning)


def connection(version=None):
    context = ssl.create_default_context(cafile=authority)
    if version is not None:
        context.minimum_version = version
        context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
    return http.client.HTTPSConnection(address, timeout=20, context=context)


def ask(method, path):
    link = connection()
    link.request(method, path, headers={"Authorization": "Bearer " + os.environ["FIELDGATE_TOKEN"]})
    version = link.sock.version()
    answer = link.getresponse()
    answer.read()
    return answer, version


try:
    status, version = ask("GET", "/api/v1/status")
    logout, _ = ask("DELETE", "/api/v1/session")
    told = {
        "status": status.status,
        "version": version,
        "cookie_is_secure": "; Secure" in logout.headers["Set-Cookie"],
    }
    try:
        connection(ssl.TLSVersion.TLSv1_1).connect()
        told["old"] = "spoken"
    except (ssl.SSLError, ConnectionError) as err:
        told["old"] = f"refused: {err}"
except ssl.SSLError as err:
    told = {"problem": str(err)}
print(json.dumps(told))
