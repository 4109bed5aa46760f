// Runs the documents' TypeScript snippet, compiled, over cases, one on each line, as cases.ts writes them.
import { readFileSync } from "node:fs";
import { verifyStandard, verifyXSignature } from "./snippet.js";

const NAMES = ["x-signature", "webhook-id", "webhook-timestamp", "webhook-signature"];
const text = (encoded) => Buffer.from(encoded, "base64").toString();

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const [kind, secret, body, ...values] = line.split("\t");
  const headers = Object.fromEntries(
    NAMES.map((name, index) => [name, values[index]])
      .filter(([, value]) => value !== "-")
      .map(([name, value]) => [name, text(value)]),
  );
  const raw = Buffer.from(body, "base64");
  console.log(
    kind === "x"
      ? verifyXSignature(raw, headers["x-signature"] ?? "", text(secret))
      : verifyStandard(raw, headers, text(secret)),
  );
}
