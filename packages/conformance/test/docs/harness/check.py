# Runs the documents' Python snippet over cases, one on each line, as cases.ts writes them.
import base64
import sys

from snippet import verify_standard, verify_x_signature

NAMES = ["x-signature", "webhook-id", "webhook-timestamp", "webhook-signature"]

for line in sys.stdin.read().split("\n"):
    if line == "":
        continue
    kind, secret, body, *values = line.split("\t")
    text = lambda encoded: base64.b64decode(encoded).decode()
    headers = {name: text(value) for name, value in zip(NAMES, values) if value != "-"}
    raw = base64.b64decode(body)
    if kind == "x":
        print("true" if verify_x_signature(raw, headers.get("x-signature", ""), text(secret)) else "false")
    else:
        print("true" if verify_standard(raw, headers, text(secret)) else "false")
