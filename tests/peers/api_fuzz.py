"""api_fuzz.py DOCUMENT URL EXAMPLES: requests that an OpenAPI document allows, and that it forbids, made by schemathesis.

FIELDGATE_TOKEN is an admin's token. Prints as JSON: how many requests were made, whether each was answered as the
document says and without an error of the server's own, and what was said if not.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

document, url, examples = sys.argv[1:]
command = [
    os.path.join(os.path.dirname(sys.executable), "schemathesis"),
    *["--no-color", "run", document, "--url", url],
    *["--header", "Authorization: Bearer " + os.environ["FIELDGATE_TOKEN"]],
    *["--checks", "not_a_server_error,content_type_conformance,response_schema_conformance"],
    # A WebSocket is no request and answer.
    *["--exclude-path", "/api/v1/live"],
    *["--max-examples", examples, "--seed", "1", "--suppress-health-check", "all"],
]
# It keeps notes where it runs.
with tempfile.TemporaryDirectory() as folder:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
counted = re.search(r"([\d,]+) generated", ran.stdout)
tested = re.search(r"Tested: (\d+)", ran.stdout)
print(
    json.dumps(
        {
            "code": ran.returncode,
            "requests": int(counted[1].replace(",", "")) if counted else 0,
            "operations": int(tested[1]) if tested else 0,
            "said": "" if ran.returncode == 0 else (ran.stdout + ran.stderr)[-4000:],
        }
    )
)
